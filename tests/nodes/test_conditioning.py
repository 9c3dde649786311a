import pytest
import torch

from inglenook.errors import NodeError


@pytest.fixture
def clip(run, checkpoint):
    return run("CheckpointLoaderSimple", ckpt_name=checkpoint)[1]


def encode(run, clip, text):
    return run("CLIPTextEncode", text=text, clip=clip)[0]


def test_conditioning_is_a_list_of_tensor_and_options(run, clip):
    ((context, options),) = encode(run, clip, "a red circle")
    assert context.shape == (1, 77, 32)
    assert options["pooled_output"].shape == (1, 32)


def test_combine_lists_both(run, clip):
    red, blue = encode(run, clip, "red"), encode(run, clip, "blue")
    (both,) = run("ConditioningCombine", conditioning_1=red, conditioning_2=blue)
    assert both == [red[0], blue[0]]
    assert len(red) == 1


def test_concat_lengthens_every_entry_by_the_first_of_the_other(run, clip, caplog):
    red, blue = encode(run, clip, "red"), encode(run, clip, "blue")
    (long,) = run("ConditioningConcat", conditioning_to=[*red, *blue], conditioning_from=blue)
    assert [context.shape[1] for context, _ in long] == [154, 154]
    assert torch.equal(long[0][0][:, 77:], blue[0][0])
    assert not caplog.text
    run("ConditioningConcat", conditioning_to=red, conditioning_from=[*red, *blue])
    assert "the first is used" in caplog.text


def test_concat_with_nothing_is_refused(run, clip):
    with pytest.raises(NodeError, match="conditioning_from is empty"):
        run("ConditioningConcat", conditioning_to=encode(run, clip, "red"), conditioning_from=[])


def test_clip_skip(run, clip):
    (skipped,) = run("CLIPSetLastLayer", clip=clip, stop_at_clip_layer=-2)
    assert not torch.equal(encode(run, skipped, "red")[0][0], encode(run, clip, "red")[0][0])


def test_embeddings_of_the_folder_are_used(run, clip, environment, checkpoint):
    folder = environment.folders.models["embeddings"].paths[0]
    torch.save({"string_to_param": {"*": torch.ones(2, 32)}}, folder / "style.pt")
    clip = run("CheckpointLoaderSimple", ckpt_name=checkpoint)[1]
    assert not torch.equal(encode(run, clip, "embedding:style")[0][0], encode(run, clip, "")[0][0])


@pytest.mark.parametrize(
    ("class_type", "inputs"), [("CLIPTextEncode", {"text": "x"}), ("CLIPSetLastLayer", {"stop_at_clip_layer": -1})]
)
def test_a_checkpoint_without_text_encoder_is_explained(run, class_type, inputs):
    with pytest.raises(NodeError, match="has no text encoder"):
        run(class_type, clip=None, **inputs)
