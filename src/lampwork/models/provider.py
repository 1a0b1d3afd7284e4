"""Providers' models, by pydantic-ai's model layer: asked, asked again, and then the next one."""

from __future__ import annotations

import logging
from asyncio import sleep
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from pydantic_ai import exceptions as api
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import Model as ProviderModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.settings import ModelSettings

from lampwork.errors import ModelError, ModelKeyMissing
from lampwork.models import building, failures, rates, reply
from lampwork.models.ask import Ask, Reply, TextDelta
from lampwork.models.building import close
from lampwork.models.failures import Count, Failure
from lampwork.models.price import Price
from lampwork.models.request import Request
from lampwork.models.resolve import Model

__all__ = ["ProviderDoor", "close", "of"]

_log = logging.getLogger("lampwork.models")

TRIES = 3
"""How often one model is sent one request at the most."""

FIRST_PAUSE = 0.5
"""Seconds before the second try; doubled for each further one, give or take half."""

_PROVIDERS = {"openai-chat": "openai", "openai-responses": "openai"}
"""Wires that are another provider's."""

ANSWERED_WITHIN = 600.0
"""Seconds for one try, until the last of the response is there; the setting `request_timeout`."""


def of(model: Any) -> ProviderDoor:
    """The door to a `Model` and its fallbacks, or to a model object of pydantic-ai's own."""
    return ProviderDoor(model)


class ProviderDoor:
    """A model, and those that are asked when it has failed."""

    def __init__(self, model: Model | ProviderModel) -> None:
        self.models = tuple(OneModel(each) for each in _with_fallbacks(model))

    @property
    def name(self) -> str:
        """The id that the genie names."""
        return self.models[0].name

    @property
    def uses_tokens(self) -> bool:
        """Providers count them."""
        return True

    @property
    def counts_alike(self) -> bool:
        """Not if another model may be asked next: it cuts the same text into other tokens."""
        return len(self.models) == 1

    @property
    def max_output_tokens(self) -> int | None:
        """The largest `max_tokens` of their settings, None if one of them has none."""
        limits = [model.settings.get("max_tokens") for model in self.models]
        return None if None in limits else max(limit for limit in limits if limit is not None)

    @property
    def sees(self) -> bool:
        """Whether all of them take images."""
        return all(model.sees for model in self.models)

    @property
    def paced_as(self) -> tuple[str, ...]:
        """Of the model that is asked first."""
        return self.models[0].paced_as

    def price(self, input_tokens: int | None = None) -> Price | None:
        """The dearest of their rates, None if one of them is unknown."""
        prices = [model.price(input_tokens) for model in self.models]
        known = [price for price in prices if price is not None]
        if len(known) == 1 == len(prices):
            return known[0]
        if len(known) < len(prices):
            return None
        return Price(
            input=max(max(each.input, each.cached_input or 0) for each in known),
            output=max(each.output for each in known),
        )

    def check(self) -> None:
        """Raise ModelUnknown or ModelKeyMissing, for fallbacks as well: they are needed in need.

        An id that is unknown comes first: no environment mends it.
        """
        missing: ModelKeyMissing | None = None
        for model in self.models:
            try:
                model.check()
            except ModelKeyMissing as error:
                missing = missing or error
        if missing is not None:
            raise missing

    async def respond(self, ask: Ask) -> Reply:
        """The reply of the first model that gives one.

        Raises ModelUnavailable, ContextTooLong, ModelUnknown, ModelKeyMissing.
        """
        request, count = Request.of(ask), Count()
        failed: list[Failure] = []
        for model in self.models:
            if failed and not (await _may_do_better(model, failed) and await count.may_go_on(ask)):
                continue
            answer = await model.respond(ask, request, count)
            if isinstance(answer, Reply):
                return answer
            failed.append(answer)
            facts = {
                "event": "model.failed",
                "task_id": ask.task_id,
                "model": answer.model,
                "error_type": failures.name_of(answer.error),
                "tries": answer.tries,
            }
            _log.error("%s, for task %s", answer.in_short, ask.task_id, extra=facts)
            if answer.verdict == "never":
                break
        raise failures.raised_by(failed, ask, count) from failed[-1].error


def _with_fallbacks(model: Any) -> Iterator[Any]:
    """The models in the order in which they are asked, each once."""
    seen: list[Any] = []
    waiting = [model]
    while waiting:
        each = waiting.pop(0)
        each = Model(each) if isinstance(each, str) else each
        if isinstance(each, Model):
            waiting = [*each.fallbacks, *waiting]
            each = replace(each, fallbacks=())
        if each not in seen:
            seen.append(each)
            yield each


async def _may_do_better(model: OneModel, failed: list[Failure]) -> bool:
    """Whether a model is worth asking; one with no more room for a long request is not."""
    rooms = [each.room for each in failed if each.verdict == "too_long"]
    room = await model.room() if rooms else None
    return room is None or all(each is None or room > each for each in rooms)


class OneModel:
    """One model of one provider."""

    def __init__(self, model: Model | ProviderModel) -> None:
        self.model = model

    @property
    def name(self) -> str:
        """Its id."""
        match self.model:
            case Model(id=name):
                return name
            case ProviderModel(model_id=name):
                return name
            case _:
                return repr(self.model)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that it came with."""
        return self.model.settings or {}

    @property
    def sees(self) -> bool:
        """Whether it takes images, as it says itself or as pydantic-ai knows."""
        return self._takes_images(building.build(self.model))

    @property
    def paced_as(self) -> tuple[str, ...]:
        """The provider, or the host where it is another, and its id."""
        if not isinstance(self.model, Model):
            return self.model.system, f"{self.model.system}:{self.model.model_name}"
        if self.model.base_url is not None:
            return urlsplit(self.model.base_url).netloc, self.model.id
        provider = self.model.id.partition(":")[0]
        return _PROVIDERS.get(provider, provider), self.model.id

    def _takes_images(self, model: ProviderModel) -> bool:
        said = not isinstance(self.model, Model) or self.model.sees
        return said and bool(model.profile.get("supports_image_input", True))

    def price(self, input_tokens: int | None) -> Price | None:
        """What it says it costs, else what the price list says."""
        if isinstance(self.model, Model):
            if self.model.price is not None or self.model.base_url is not None:
                return self.model.price
            provider, _, name = self.model.id.partition(":")
        else:
            provider, name = self.model.system, self.model.model_name
        return rates.dearest(provider, name, self.settings, input_tokens)

    def check(self) -> None:
        """Raise ModelUnknown or ModelKeyMissing."""
        if not building.is_open(self.model):
            building.build(self.model)

    async def room(self) -> int | None:
        """How many tokens a request may have, as far as is known."""
        try:
            return (await building.opened(self.model)).profile.get("context_window")
        except ModelError:
            return None

    async def respond(self, ask: Ask, request: Request, count: Count) -> Reply | Failure:
        """Ask, again after failures that pass."""
        tries = 0
        while True:
            try:
                model = await building.opened(self.model)
                if count.requests and ask.in_turn is not None:  # the first one has had its turn
                    await ask.in_turn(self.paced_as)
                tries += 1
                count.requests += 1
                response = await self._ask(model, ask, request, count.requests)
                return reply.read(response, self.name, count.usage, self._used(response))
            except Exception as error:
                verdict = failures.judge(error)
                if failures.may_have_cost(error):
                    count.unmeasured += 1
                pause = failures.pause_after(error, tries, FIRST_PAUSE)
                if ask.slow_down is not None and (wanted := failures.wants_rest(error)):
                    await ask.slow_down(self.paced_as, wanted)
                another = verdict == "again" and tries < TRIES and await count.may_go_on(ask)
                if pause is None or not another:
                    room = await self.room() if verdict == "too_long" else None
                    return Failure(self.name, error, verdict, tries, room)
                facts = {
                    "event": "model.tried_again",
                    "task_id": ask.task_id,
                    "model": self.name,
                    "error_type": failures.name_of(error),
                    "pause": round(pause, 3),
                }
                said = "%(model)s failed, next try in %(pause).1f s: %(error_type)s"
                _log.warning(said, facts, extra=facts)
            await sleep(pause)

    async def _ask(
        self, model: ProviderModel, ask: Ask, request: Request, attempt: int
    ) -> ModelResponse:
        """One try. What is no response in the provider's format is UnexpectedModelBehavior."""
        if request.images and not self._takes_images(model):
            request = request.without_images()
        messages = request.messages_for(model)
        given: Any = {
            "model_settings": self._settings(model, ask),
            "model_request_parameters": request.parameters,
        }
        try:
            if ask.on_text is None:
                response = await model_request(model, messages, **given)
            else:
                tell, place = ask.on_text, (ask.task_id, ask.number, attempt)
                async with model_request_stream(model, messages, **given) as streamed:
                    response = await reply.stream(
                        streamed, lambda text: tell(TextDelta(*place, text))
                    )
        except (TypeError, AttributeError, LookupError, ValueError) as error:
            # How pydantic-ai takes JSON that is valid and not what it should be.
            raise api.UnexpectedModelBehavior(
                f"The response could not be read: {type(error).__name__}: {error}"
            ) from error
        if response.state != "complete" or not self._is_whole(model, response, ask):
            raise api.UnexpectedModelBehavior("The response broke off: it says no reason to end.")
        return response

    def _is_whole(self, model: ProviderModel, response: ModelResponse, ask: Ask) -> bool:
        """Whether the provider has ended its response: it says why, models made of code do not."""
        if not isinstance(self.model, Model):
            return True
        if ask.on_text is None:
            return response.finish_reason is not None or bool(response.parts)
        if isinstance(model, OpenAIChatModel):
            # pydantic-ai takes a stream that just ends for a whole one; the reason given is here.
            return "finish_reason" in (response.provider_details or {})
        return response.finish_reason is not None

    def _settings(self, model: ProviderModel, ask: Ask) -> ModelSettings:
        settings: dict[str, Any] = {"request_timeout": ANSWERED_WITHIN, **self.settings}
        if "max_retries" not in model.unsupported_settings:
            # One layer retries, ours: the SDK's own retries would multiply with it.
            settings.setdefault("max_retries", 0)
        limits = [each for each in (ask.max_output_tokens, self.settings.get("max_tokens")) if each]
        if limits:
            settings["max_tokens"] = min(limits)
        return ModelSettings(**settings)

    def _used(self, response: ModelResponse) -> dict[str, int]:
        """What the answer took, and what it cost."""
        used = response.usage
        usage = {"input_tokens": used.input_tokens, "output_tokens": used.output_tokens}
        for name in ("cache_read_tokens", "cache_write_tokens"):
            if count := getattr(used, name):
                usage[name] = count
        if used.unmeasured_requests:
            return usage | {"unmeasured_requests": 1, "unpriced_requests": 1}
        cost = self._cost(response)
        return usage | ({"unpriced_requests": 1} if cost is None else {"cost_nanodollars": cost})

    def _cost(self, response: ModelResponse) -> int | None:
        if isinstance(self.model, Model):
            if self.model.price is not None:
                used = response.usage
                counts = used.input_tokens, used.output_tokens, used.cache_read_tokens
                return self.model.price.cost(*counts)
            if self.model.base_url is not None:
                return None
        return rates.charged(response)
