"""Submissions that come by other ways than `POST /prompt`."""

import pytest

from inglenook.api.submission import PromptRefused, submit_body
from tests.api.idle import idle_services
from tests.api.live import picture_graph


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "socket"),
        ({"client_id": ""}, "socket"),
        ({"client_id": "other"}, "other"),
        ({"extra_data": {"client_id": "other"}}, "other"),
    ],
)
async def test_who_submits_hears_of_the_run_unless_the_body_names_another(tmp_path, fields, told):
    async with idle_services(tmp_path) as services:
        await submit_body(services, {"prompt": picture_graph(), **fields}, client_id="socket")
        (run,) = services.dispatcher.waiting()
        assert run.job.client_id == run.job.extra_data["client_id"] == told


async def test_a_bare_graph_hears_of_its_run_too(tmp_path):
    async with idle_services(tmp_path) as services:
        reply = await submit_body(services, picture_graph(), client_id="socket")
        (run,) = services.dispatcher.waiting()
        assert (run.job.id, run.job.client_id) == (reply["prompt_id"], "socket")


async def test_a_refusal_says_what_a_request_would_be_answered(tmp_path):
    async with idle_services(tmp_path) as services:
        with pytest.raises(PromptRefused) as refused:
            await submit_body(services, {"prompt": {}})
        assert refused.value.body()["error"]["type"] == "prompt_no_outputs"
