"""Write the files anew: ``python -m tests.golden``. Read the diff before it is committed."""

from tests.golden.texts import FOLDER, texts

for name, text in texts().items():
    (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
