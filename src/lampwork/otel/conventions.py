"""Names of the OpenTelemetry semantic conventions for generative AI, which are in development.

https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai, as of autumn 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AGENT = "gen_ai.agent.name"
CONVERSATION = "gen_ai.conversation.id"
ERROR = "error.type"
FINISH_REASONS = "gen_ai.response.finish_reasons"
MAX_TOKENS = "gen_ai.request.max_tokens"
MODEL = "gen_ai.request.model"
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
STREAM = "gen_ai.request.stream"
TOKEN_TYPE = "gen_ai.token.type"
TOOL = "gen_ai.tool.name"
TOOL_CALL = "gen_ai.tool.call.id"
TOOL_TYPE = "gen_ai.tool.type"
WORKFLOW = "gen_ai.workflow.name"

_USAGE = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
}

_PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "google-cloud": "gcp.vertex_ai",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "grok": "x_ai",
    "mistral": "mistral_ai",
    "moonshotai": "moonshot_ai",
    "openai-chat": "openai",
    "openai-responses": "openai",
    "xai": "x_ai",
}
"""The names of the conventions, where the model's id has another one."""


def of_model(id: str) -> dict[str, str]:
    """The provider and the model of `provider:model`."""
    provider, _, model = id.partition(":")
    return {PROVIDER: _PROVIDERS.get(provider, provider), MODEL: model or id}


def of_usage(usage: Mapping[str, int]) -> dict[str, int]:
    """What model calls have used."""
    counted: dict[str, Any] = {
        name: usage[ours] for ours, name in _USAGE.items() if usage.get(ours) is not None
    }
    if cost := usage.get("cost_nanodollars"):
        counted["lampwork.cost.nanodollars"] = cost
    return counted
