"""Models: loaded once per process, in a thread, shared by class and arguments."""

import asyncio
import copy
import gc
import threading
from typing import Any
from weakref import ref

import pytest
from doubles import make_call, virtual

from voiceflow import DTMF, Call, Processor
from voiceflow.inference.loaded_models import UNUSED, load, release


class Model(Processor):
    """A processor whose every load makes a new model; `loads` counts them."""

    loads: list[tuple[Any, ...]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.parameters = (*args, *sorted(kwargs.items()))

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.loads = []

    def load(self) -> object:
        type(self).loads.append(self.parameters)
        return object()

    def process(self, frame: DTMF) -> DTMF:
        return frame


def new() -> type[Model]:
    """A class that nobody has loaded a model for."""

    class Fresh(Model):
        pass

    return Fresh


def loaded(*processors: Processor) -> list[Any]:
    asyncio.run(load(processors))
    return [processor.model for processor in processors]


def test_equal_arguments_share_a_model():
    fresh = new()
    a, b = loaded(fresh("base", rate=1), fresh("base", rate=1))
    assert a is b
    assert len(fresh.loads) == 1


def test_other_arguments_have_a_model_of_their_own():
    fresh = new()
    models = loaded(fresh("base"), fresh("small"), fresh("base", rate=1), fresh("base", rate=2), fresh())
    assert len(set(map(id, models))) == len(fresh.loads) == 5


def test_other_classes_have_a_model_of_their_own():
    first, second = new(), new()
    a, b = loaded(first("base"), second("base"))
    assert a is not b


def test_a_derived_class_has_a_model_of_its_own():
    base = new()

    class Derived(base):  # type: ignore[misc, valid-type]
        pass

    a, b = loaded(base("x"), Derived("x"))
    assert a is not b


@pytest.mark.parametrize(
    "arguments",
    [
        ["a", "b"],
        {"a": [1, 2], "b": {"c": {3}}},
        ("a", ["b", {"c": 1}]),
        {1, 2, 3},
        None,
    ],
    ids=str,
)
def test_arguments_that_cannot_be_hashed_are_compared_by_content(arguments):
    fresh = new()
    a, b = loaded(
        fresh(arguments, options=arguments), fresh(copy.deepcopy(arguments), options=copy.deepcopy(arguments))
    )
    assert a is b


def test_the_order_of_keywords_does_not_matter():
    fresh = new()
    a, b = loaded(fresh(x=1, y=2), fresh(y=2, x=1))
    assert a is b


@pytest.mark.parametrize(("one", "other"), [([1, 2], [2, 1]), ({"a": 1}, {"a": 2}), ((1,), (1, 1)), ("ab", ["a", "b"])])
def test_arguments_of_other_content_have_models_of_their_own(one, other):
    fresh = new()
    a, b = loaded(fresh(one), fresh(other))
    assert a is not b


def test_arguments_that_compare_by_nothing_have_models_of_their_own():
    class Options:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return False

    fresh = new()
    seen = {}
    for _ in range(50):  # an id that is used again must not bring back another object's model
        processor = fresh(Options())
        (model,) = loaded(processor)
        assert model not in seen
        seen[model] = True
        del processor


def test_a_positional_argument_and_the_same_by_keyword_share_a_model():
    loads = []

    class Whisper(Processor):
        def __init__(self, model: str = "base") -> None:
            self.name_of_model = model

        def load(self) -> object:
            loads.append(self.name_of_model)
            return object()

        def process(self, frame: DTMF) -> DTMF:
            return frame

    a, b, c = loaded(Whisper("base"), Whisper(model="base"), Whisper())
    assert a is b is c
    assert loads == ["base"]


def test_a_model_outlives_the_loop_that_loaded_it():
    fresh = new()
    (a,) = loaded(fresh("x"))
    (b,) = loaded(fresh("x"))
    assert a is b
    assert len(fresh.loads) == 1


def test_a_model_is_loaded_in_a_thread():
    threads = []

    class Fresh(Model):
        def load(self) -> None:
            threads.append(threading.current_thread())

    loaded(Fresh())
    assert threads != [threading.main_thread()]
    assert len(threads) == 1


def test_none_is_a_model_too_and_is_loaded_once():
    count = []

    class Fresh(Model):
        def load(self) -> None:
            count.append(1)

    assert loaded(Fresh(), Fresh()) == [None, None]
    assert count == [1]


def test_a_processor_without_load_has_no_model():
    class Plain(Processor):
        def process(self, frame: DTMF) -> DTMF:
            return frame

    assert loaded(Plain()) == [None]


def test_calls_that_need_a_model_at_the_same_time_load_it_once():
    fresh = new()

    async def main() -> None:
        processors = [fresh("x") for _ in range(5)]
        await asyncio.gather(*(load([processor]) for processor in processors))
        assert len({id(processor.model) for processor in processors}) == 1

    asyncio.run(main())
    assert len(fresh.loads) == 1


class Failing(Model):
    """Fails the first time that it is loaded."""

    def load(self) -> object:
        super().load()
        if len(self.loads) == 1:
            raise ConnectionError("the model could not be fetched")
        return object()


def test_a_failure_is_raised_and_the_next_one_tries_again():
    class Fresh(Failing):
        pass

    with pytest.raises(ConnectionError, match="could not be fetched"):
        loaded(Fresh("x"))
    (model,) = loaded(Fresh("x"))
    assert model is not None
    assert len(Fresh.loads) == 2


def test_a_failure_is_told_to_everybody_who_waited():
    class Fresh(Failing):
        pass

    async def main() -> None:
        results = await asyncio.gather(*(load([Fresh("x")]) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [ConnectionError] * 3

    asyncio.run(main())
    assert len(Fresh.loads) == 1


def test_who_gives_up_waiting_does_not_fail_the_others():
    begun, go = threading.Event(), threading.Event()

    class Fresh(Model):
        def load(self) -> object:
            begun.set()
            go.wait(10.0)
            return super().load()

    async def main() -> None:
        first, second = Fresh("x"), Fresh("x")
        loading = asyncio.ensure_future(load([first]))
        assert await asyncio.to_thread(begun.wait, 10.0)
        waiting = asyncio.ensure_future(load([second]))
        await asyncio.sleep(0)
        loading.cancel()
        await asyncio.wait({loading})
        go.set()
        await waiting
        assert second.model is not None

    asyncio.run(main())


def test_a_load_that_hangs_is_left_at_once_and_says_whose_it_is():
    begun, go = threading.Event(), threading.Event()

    class Hangs(Model):
        def load(self) -> object:
            begun.set()
            go.wait(10.0)
            return super().load()

    async def main() -> None:
        first, second = Hangs("x"), Hangs("x")
        late: list[str] = []
        loading = asyncio.ensure_future(load([new()("y"), first], waits_for=lambda p: late.append(p.name)))
        assert await asyncio.to_thread(begun.wait, 10.0)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        assert late == ["Fresh", "Hangs"]
        assert not go.is_set()
        go.set()
        await load([second])  # the one that was under way
        assert len(Hangs.loads) == 1
        assert second.model is not None

    asyncio.run(main())


def test_what_ends_a_process_is_an_error_of_loading():
    class Leaves(Model):
        def load(self) -> object:
            raise SystemExit(2)

    with pytest.raises(RuntimeError, match=r"it raised SystemExit: 2"):
        loaded(Leaves())


class Big:
    """A model that can be watched by a weak reference."""


class Prompted(Model):
    def load(self) -> Big:
        super().load()
        return Big()


def in_call(processor: Prompted) -> "ref[Big]":
    """A weak reference to the model of `processor`, in a call that goes on as long as the processor lives."""
    processor.call = make_call()
    loaded(processor)
    return ref(processor.model)


def alive(models: "list[ref[Big]]") -> int:
    gc.collect()
    return sum(model() is not None for model in models)


def test_models_that_no_call_uses_any_more_go():
    class Fresh(Prompted):
        pass

    models = [in_call(Fresh(f"prompt {n}")) for n in range(1000)]
    assert alive(models) <= UNUSED + 1
    assert len(Fresh.loads) == 1000


def test_models_that_are_released_go_though_their_processors_are_not_garbage_yet():
    class Fresh(Prompted):
        pass

    kept, models = [], []
    for n in range(100):
        processor = Fresh(n)
        models.append(in_call(processor))
        release([processor])
        processor.model = None
        kept.append(processor)
    assert alive(models) <= UNUSED


def test_the_model_of_a_running_call_stays_and_is_shared():
    class Fresh(Prompted):
        pass

    running, other = Fresh("long call"), Fresh("long call")
    model = in_call(running)
    for n in range(50):
        in_call(Fresh(n))
    assert in_call(other)() is model()
    release([other])
    for n in range(50, 100):
        in_call(Fresh(n))
    assert in_call(Fresh("long call"))() is running.model
    assert len(Fresh.loads) == 101


def test_the_last_models_are_kept_for_the_next_call():
    class Fresh(Prompted):
        pass

    for _ in range(10):
        for n in range(UNUSED):
            in_call(Fresh(n))
    assert len(Fresh.loads) == UNUSED


def test_models_that_a_server_loads_before_its_calls_stay():
    class Fresh(Prompted):
        pass

    for n in range(20):
        loaded(Fresh(f"route {n}"))
    for n in range(100):
        in_call(Fresh(n))
    del Fresh.loads[:]
    for n in range(20):
        in_call(Fresh(f"route {n}"))
    assert Fresh.loads == []


def test_a_call_has_its_models_before_it_opens():
    seen = []

    class Fresh(Model):
        async def open(self, call: Call) -> None:
            seen.append(self.model)

    virtual(make_call().run(lambda call: call.source | Fresh("x") | call.sink))
    assert len(seen) == 1
    assert seen[0] is not None


def test_a_model_that_cannot_be_loaded_fails_the_call_before_it_begins():
    class Fresh(Failing):
        pass

    with pytest.raises(ConnectionError):
        virtual(make_call().run(lambda call: call.source | Fresh("x") | call.sink))
    assert len(Fresh.loads) == 1


def test_a_processor_may_say_which_of_its_arguments_its_model_depends_on():
    class Fresh(Model):
        def __init__(self, model: str, prompt: str = "") -> None:
            super().__init__(model)

        @property
        def model_key(self) -> Any:
            return {name: value for name, value in super().model_key.items() if name != "prompt"}

    a, b, c = loaded(Fresh("base", prompt="one"), Fresh("base", "two"), Fresh("small", "one"))
    assert a is b
    assert a is not c


def test_what_all_calls_share_is_made_when_a_server_loads_and_not_in_a_call():
    made = []

    class Fresh(Prompted):
        async def before_calls(self, call: Call | None) -> None:
            made.append(self.model)

        def prepare(self, text: str) -> None:
            raise AssertionError("a method of the user's own")

    (model,) = loaded(Fresh())
    assert made == [model]
    in_call(Fresh())
    assert made == [model]
