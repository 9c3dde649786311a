"""Names of samplers and schedulers as other programs write them."""

import pytest

from inglenook.engine.names import SAMPLERS, SCHEDULERS
from inglenook.workflows.aliases import sampler_of, scheduler_of


@pytest.mark.parametrize(
    ("name", "sampler", "scheduler"),
    [
        ("euler_a", "euler_ancestral", None),
        ("Euler a", "euler_ancestral", None),
        ("k_euler_a", "euler_ancestral", None),
        ("Euler", "euler", None),
        ("EULER_ANCESTRAL", "euler_ancestral", None),
        ("LMS", "lms", None),
        ("LMS Karras", "lms", "karras"),
        ("Heun", "heun", None),
        ("DPM2", "dpm_2", None),
        ("DPM2 a", "dpm_2_ancestral", None),
        ("DPM2 a Karras", "dpm_2_ancestral", "karras"),
        ("DPM++ 2S a", "dpmpp_2s_ancestral", None),
        ("DPM++ 2S a Karras", "dpmpp_2s_ancestral", "karras"),
        ("DPM++ 2M", "dpmpp_2m", None),
        ("DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("dpmpp_2m_karras", "dpmpp_2m", "karras"),
        ("DPM++ SDE", "dpmpp_sde", None),
        ("DPM++ SDE Karras", "dpmpp_sde", "karras"),
        ("DPM++ 2M SDE", "dpmpp_2m_sde", None),
        ("DPM++ 2M SDE Karras", "dpmpp_2m_sde", "karras"),
        ("DPM++ 2M SDE Exponential", "dpmpp_2m_sde", "exponential"),
        ("DPM++ 2M SDE Heun", "dpmpp_2m_sde_heun", None),
        ("DPM++ 2M SDE Heun Karras", "dpmpp_2m_sde_heun", "karras"),
        ("DPM++ 2M SGM Uniform", "dpmpp_2m", "sgm_uniform"),
        ("DPM++ 3M SDE", "dpmpp_3m_sde", None),
        ("DPM++ 3M SDE Karras", "dpmpp_3m_sde", "karras"),
        ("DPM fast", "dpm_fast", None),
        ("DPM adaptive", "dpm_adaptive", None),
        ("DDIM", "ddim", None),
        ("DDIM Uniform", "ddim", "normal"),
        ("UniPC", "uni_pc", None),
        ("LCM", "lcm", None),
    ],
)
def test_a_name_of_another_program_is_found(name, sampler, scheduler):
    assert sampler_of(name, SAMPLERS, SCHEDULERS) == (sampler, scheduler)


@pytest.mark.parametrize("name", ["", "Restart", "a cat", "karras", "euler karras normal x", "x" * 10_000, None, 5])
def test_other_names_are_not_guessed(name):
    assert sampler_of(name, SAMPLERS, SCHEDULERS) is None


def test_a_name_that_a_class_does_not_offer_is_not_found():
    assert sampler_of("Euler a", ("euler", "heun"), SCHEDULERS) is None


@pytest.mark.parametrize(
    ("name", "sampler", "scheduler"),
    [
        ("Karras", "euler", "karras"),
        ("SGM Uniform", "euler", "sgm_uniform"),
        ("Uniform", "euler", "normal"),
        ("Automatic", "euler", "normal"),
        ("automatic", "dpmpp_2m", "karras"),
        ("Turbo", "euler", None),
        (7, "euler", None),
    ],
)
def test_schedulers_have_other_names_too(name, sampler, scheduler):
    assert scheduler_of(name, SCHEDULERS, sampler) == scheduler
