"""Rows about models in this process: reading, planning, folding, comparing, explaining."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.benchmarks.models import TEN, application, pairs
from tests.benchmarks.rows import Row, cpu
from tests.kerases import load_keras


def counting() -> Iterator[Row]:
    from pytest_layercount import count_layers, opening

    for name, goal in (("ResNet152V2", 5.0), ("NASNetLarge", 10.0)):
        model = application(name)
        took = cpu(lambda model=model: count_layers(model), 7)
        yield Row(f"read and count {name}", 1e3 * took, "ms", goal, f"{len(model.layers)} layers")
        opening.structure(model)
        took = cpu(lambda model=model: [opening.structure(model) for _ in range(10)], 5) / 10
        yield Row(f"judge {name} again", 1e3 * took, "ms", 1.0)
        summary = cpu(lambda model=model: model.summary(print_fn=lambda *_, **__: None), 1)
        yield Row(f"model.summary() of {name}", 1e3 * summary, "ms")


def folding(names: tuple[str, ...] = TEN) -> Iterator[Row]:
    from pytest_layercount import fold, plan_fold

    keras = load_keras()
    of = "of clone_model"
    for name in names:
        model = application(name)

        def clone(model: Any = model) -> Any:
            copy = keras.models.clone_model(model)
            copy.set_weights(model.get_weights())
            return copy

        alone = cpu(lambda model=model: keras.models.clone_model(model))
        copied = cpu(clone)
        planned = cpu(lambda model=model: plan_fold(model))
        judged = cpu(lambda model=model: _judged_anew(model))
        folded = cpu(lambda model=model: fold(model))
        seconds = f"{folded:.2f} s of {copied:.2f} s"
        yield Row(f"plan {name} from its structure", planned / alone, of, 0.02, _ms(planned))
        yield Row(f"assert_foldable({name})", judged / alone, of, 0.02, _ms(judged))
        yield Row(f"fold {name}", folded / copied, "of clone + set", 0.5, seconds)


def _judged_anew(model: Any) -> Any:
    """What ``assert_foldable`` asks for, of a model that it has not seen yet."""
    from pytest_layercount import opening
    from pytest_layercount.folding import cache

    cache._memories.clear()
    return opening.plan(model)


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f} ms"


def growth() -> Iterator[Row]:
    from pytest_layercount import fold

    times = {}
    for count in (100, 200, 400, 800, 1600):
        model = pairs(count)
        times[count] = cpu(lambda model=model: fold(model), 2)
    for count in (200, 400, 800, 1600):
        ratio = times[count] / times[count // 2]
        yield Row(f"fold {count} pairs", ratio, "of half as many", 2.2, f"{times[count]:.2f} s")


def comparing() -> Iterator[Row]:
    from pytest_layercount import check_equivalence, fold
    from pytest_layercount.folding import equivalence
    from pytest_layercount.folding.equivalence.bench import Bench
    from pytest_layercount.folding.equivalence.correspond import corresponding
    from pytest_layercount.folding.equivalence.randomise import randomised_copy
    from pytest_layercount.model.readers.live import open_model

    for name in ("ResNet50", "MobileNetV2", "NASNetMobile"):
        model = randomised_copy(open_model(application(name)), seed=0)
        result = fold(model)
        folded = cpu(lambda model=model: fold(model), 2)
        one, two = open_model(model), open_model(result.model)
        bench = Bench(one, two, *corresponding(one, two, result.plan), "float64")
        inputs = equivalence._candidates(one, None, 0)[0]

        def passes(bench: Any = bench, inputs: Any = inputs) -> Any:
            return bench.measure(bench.start(inputs), 2.0**-24, 0)

        passes()
        needed = cpu(passes, 2)
        took = cpu(lambda model=model, result=result: check_equivalence(model, result), 2)
        rest = max(0.0, took - needed) / folded
        detail = f"{took:.1f} s, {needed:.1f} s of it the passes"
        yield Row(f"compare {name}, without its passes", rest, "of a fold", 1.5, detail)
        if name == "ResNet50":
            yield Row("compare ResNet50 at 224x224", took, "CPU s", 20.0, "10 s on two cores")


def explaining() -> Iterator[Row]:
    from pytest_layercount import explain
    from tests.graphs import chain

    times = {}
    for size in (500, 1000, 2000):
        one = chain("InputLayer", *["Conv2D", "BatchNormalization", "Activation"] * (size // 3))
        two = chain("InputLayer", *["Conv2D", "Activation"] * 2, *["Conv2D"] * 3, *_rest(size))
        times[size] = cpu(lambda one=one, two=two: explain(one, two))
    yield Row("explain two models of 1,000 layers", times[1000], "s", 1.0)
    detail = "Python's garbage collector in it"
    yield Row("explain 2,000 layers", times[2000] / times[1000], "of half as many", None, detail)


def _rest(size: int) -> list[str]:
    return ["Conv2D", "BatchNormalization", "Activation"] * ((size - 7) // 3)
