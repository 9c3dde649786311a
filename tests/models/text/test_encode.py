import torch
from safetensors.torch import save_file

from inglenook.models.handles import load_checkpoint
from inglenook.models.text.embeddings import Embeddings
from inglenook.models.text.encode import encode_prompt


def context(clip, prompt):
    return encode_prompt(clip, prompt).context


def test_one_chunk_of_77_tokens_and_a_pooled_vector(clip):
    encoded = encode_prompt(clip, "a red circle")
    assert encoded.context.shape == (1, 77, 32)
    assert encoded.pooled.shape == (1, 32)
    assert encoded.context.dtype == torch.float32


def test_long_prompts_become_several_chunks(clip):
    assert context(clip, "circle " * 160).shape == (1, 3 * 77, 32)


def test_weight_one_changes_nothing_and_others_scale_the_distance_to_the_empty_prompt(clip):
    plain, empty = context(clip, "a red circle"), context(clip, "")
    assert torch.equal(context(clip, "a (red:1.0) circle"), plain)
    heavy = context(clip, "a (red:1.5) circle")
    expected = (plain[0, 2] - empty[0, 2]) * 1.5 + empty[0, 2]
    torch.testing.assert_close(heavy[0, 2], expected)
    others = [position for position in range(77) if position != 2]
    torch.testing.assert_close(heavy[0, others], plain[0, others])


def test_weight_zero_leaves_the_empty_prompt(clip):
    torch.testing.assert_close(context(clip, "(red circle:0)")[0, 1:3], context(clip, "")[0, 1:3])


def test_later_tokens_do_not_change_earlier_ones(clip):
    first, second = context(clip, "a red circle"), context(clip, "a red square")
    torch.testing.assert_close(first[0, :3], second[0, :3])
    assert not torch.allclose(first[0, 3], second[0, 3])


def test_clip_skip_reads_an_earlier_layer_and_keeps_the_pooled_vector(clip):
    last, skipped = encode_prompt(clip, "a circle"), encode_prompt(clip.stopped_at(-2), "a circle")
    assert not torch.allclose(last.context, skipped.context)
    assert torch.equal(last.pooled, skipped.pooled)
    assert torch.equal(context(clip.stopped_at(-1), "a circle"), last.context)


def test_clip_skip_beyond_the_first_layer_stops_there(clip):
    assert torch.equal(context(clip.stopped_at(-24), "a circle"), context(clip.stopped_at(-3), "a circle"))


def test_the_forward_pass_is_that_of_transformers(clip):
    chunk = torch.tensor([[49406, 320, 736, 7117, *[49407] * 73]])
    with clip.store.use(clip.part.network) as module, torch.inference_mode():
        expected = module(chunk)
    encoded = encode_prompt(clip, "a red circle")
    torch.testing.assert_close(encoded.context, expected.last_hidden_state, rtol=1e-4, atol=1e-5)


class TestEmbeddings:
    def clip(self, checkpoint, store, folder):
        return load_checkpoint(checkpoint, store, Embeddings((folder,)))[1]

    def test_vectors_of_a_file_stand_in_the_prompt(self, checkpoint, store, clip, tmp_path):
        with clip.store.use(clip.part.network) as module:
            red = module.embeddings.token_embedding.weight[736].clone()
        save_file({"emb_params": red[None]}, tmp_path / "red.safetensors")
        embedded = context(self.clip(checkpoint, store, tmp_path), "a embedding:red circle")
        torch.testing.assert_close(embedded, context(clip, "a red circle"))

    def test_pickled_files_of_webui_are_read(self, checkpoint, store, clip, tmp_path):
        torch.save({"string_to_param": {"*": torch.ones(2, 32)}, "name": "x", "step": 5}, tmp_path / "style.pt")
        embedded = context(self.clip(checkpoint, store, tmp_path), "embedding:style")
        assert not torch.allclose(embedded, context(clip, ""))

    def test_wrong_widths_and_paths_outside_are_ignored(self, checkpoint, store, clip, tmp_path, caplog):
        save_file({"emb_params": torch.ones(1, 768)}, tmp_path / "wide.safetensors")
        (tmp_path / "inside").mkdir()
        assert torch.equal(
            context(self.clip(checkpoint, store, tmp_path), "embedding:wide circle"), context(clip, "circle")
        )
        assert "768 wide" in caplog.text
        outside = self.clip(checkpoint, store, tmp_path / "inside")
        assert torch.equal(context(outside, "embedding:../wide circle"), context(clip, "circle"))

    def test_damaged_files_are_ignored_with_a_warning(self, checkpoint, store, clip, tmp_path, caplog):
        (tmp_path / "bad.pt").write_bytes(b"nonsense")
        assert torch.equal(
            context(self.clip(checkpoint, store, tmp_path), "embedding:bad circle"), context(clip, "circle")
        )
        assert "damaged" in caplog.text
