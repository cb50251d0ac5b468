"""Everything that users read, in files: a change of the code that moves a word shows here."""
