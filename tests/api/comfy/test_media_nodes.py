"""Sound and video over HTTP: uploaded, run, told to clients, fetched; and a pack that brings a node of ours."""

import io
import json

import av
import pytest

from tests.api.live import LiveServer
from tests.nodes.sounds import tone

PACK = """
class Combine:
    FUNCTION, RETURN_TYPES, OUTPUT_NODE, CATEGORY = "run", (), True, "acme"
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING",)}}
    def run(self, text):
        return {"ui": {"text": ["of the pack: " + text]}}

NODE_CLASS_MAPPINGS = {"VHS_VideoCombine": Combine}
"""


@pytest.fixture
def server(live):
    return live


def wav(seconds=0.2):
    sound = tone(seconds, rate=8000, channels=1)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            (sound["waveform"][0].numpy() * 32767).astype("int16"), format="s16", layout="mono"
        )
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def film(**combine):
    return {
        "1": node("EmptyImage", width=64, height=32, batch_size=4, color=0xFF0000),
        "2": node("EmptyAudio", duration=1.0, sample_rate=44100, channels=2),
        "3": node("VHS_VideoCombine", images=["1", 0], audio=["2", 0], frame_rate=8, loop_count=0,
                  filename_prefix="film", format="video/h264-mp4", pingpong=False, save_output=True, **combine),
    }  # fmt: skip


def fetch(server, file, **options):
    query = {key: file[key] for key in ("filename", "subfolder", "type")}
    return server.get("/view", params=query, **options)


def test_an_uploaded_sound_is_listed_converted_and_fetched(server):
    reply = server.post("/upload/image", files={"image": ("voice.wav", wav())})
    assert reply.json()["name"] == "voice.wav"
    declared = server.get("/object_info/LoadAudio").json()["LoadAudio"]["input"]["required"]["audio"]
    assert declared[0] == ["voice.wav"]
    assert declared[1] == {"audio_upload": True}
    graph = {
        "1": node("LoadAudio", audio="voice.wav"),
        "2": node("SaveAudioMP3", audio=["1", 0], filename_prefix="audio/clone", quality="128k"),
        "3": node("PreviewAudio", audio=["4", 0]),
        "4": node("RecordAudio", audio="voice.wav [input]"),
    }
    entry = server.run(graph, extra_data={"extra_pnginfo": {"workflow": {"id": "w"}}})
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    (file,) = entry["outputs"]["2"]["audio"]
    assert file == {"filename": "clone_00001_.mp3", "subfolder": "audio", "type": "output"}
    assert entry["outputs"]["3"]["audio"][0]["type"] == "temp"
    reply = fetch(server, file, headers={"Range": "bytes=0-2"})
    assert (reply.status_code, reply.content) == (206, b"ID3")
    assert reply.headers["content-type"].startswith("audio/mpeg")
    with av.open(io.BytesIO(fetch(server, file).content)) as container:
        assert json.loads(container.metadata["workflow"]) == {"id": "w"}
        assert json.loads(container.metadata["prompt"]).keys() == graph.keys()


def test_a_film_is_told_as_clients_of_the_video_pack_read_it(server):
    entry = server.run(film(pix_fmt="yuv420p", crf=19, save_metadata=True, trim_to_audio=False))
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    (file,) = entry["outputs"]["3"]["gifs"]
    assert file["format"] == "video/h264-mp4"
    assert file["fullpath"] == f"output/{file['filename']}"
    assert str(server.base) not in json.dumps(entry["outputs"])
    reply = fetch(server, file)
    assert reply.headers["content-type"].startswith("video/mp4")
    with av.open(io.BytesIO(reply.content)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert "prompt" in container.metadata
    loaded = server.run(
        {
            "1": node("LoadVideo", file=f"{file['filename']} [output]"),
            "2": node("SaveVideo", video=["1", 0], filename_prefix="again", format="auto", codec="auto"),
        }
    )
    assert loaded["outputs"]["2"]["images"][0]["filename"] == "again_00001_.mp4"
    assert loaded["outputs"]["2"]["animated"] == [True]


@pytest.mark.parametrize(
    ("class_type", "inputs", "message"),
    [
        ("LoadAudio", {"audio": "absent.wav"}, "Invalid audio file: absent.wav"),
        ("LoadAudio", {"audio": "../../etc/passwd"}, "Invalid audio file"),
        ("LoadVideo", {"file": "absent.mp4"}, "Invalid video file: absent.mp4"),
        ("LoadVideo", {"file": "a\0.mp4"}, "Invalid video file"),
    ],
)
def test_files_that_are_not_there_are_refused_at_once(server, class_type, inputs, message):
    saver = {
        "LoadAudio": node("PreviewAudio", audio=["1", 0]),
        "LoadVideo": node("SaveVideo", video=["1", 0], filename_prefix="x", format="auto", codec="auto"),
    }[class_type]
    reply = server.post("/prompt", {"prompt": {"1": node(class_type, **inputs), "2": saver}})
    assert reply.status_code == 400
    (error,) = reply.json()["node_errors"]["1"]["errors"]
    assert error["type"] == "custom_validation_failed"
    assert message in error["details"]


def test_a_hostile_file_fails_its_node_and_nothing_else(server):
    server.post("/upload/image", files={"image": ("bad.mp4", b"\0\0\0\x18ftypmp42" + b"\xff" * 5000)})
    graph = {
        "1": node("LoadVideo", file="bad.mp4"),
        "2": node("SaveVideo", video=["1", 0], filename_prefix="x", format="auto", codec="auto"),
    }
    kind, data = server.run(graph)["status"]["messages"][-1]
    assert kind == "execution_error"
    assert (data["node_id"], data["node_type"]) == ("1", "LoadVideo")
    assert "bad.mp4" in data["exception_message"]
    assert server.run(film())["status"]["status_str"] == "success"


def test_a_pack_that_brings_the_class_takes_the_place_of_ours(tmp_path):
    pack = tmp_path / "custom_nodes" / "video-pack" / "__init__.py"
    pack.parent.mkdir(parents=True)
    pack.write_text(PACK)
    server = LiveServer(tmp_path).start()
    try:
        module = server.until(lambda: (kind := module_of(server)) != "custom_nodes.inglenook" and kind)
        assert module == "custom_nodes.video-pack"
        entry = server.run({"1": node("VHS_VideoCombine", text="hello")})
        assert entry["outputs"]["1"]["text"] == ["of the pack: hello"]
        assert "VHS_LoadVideo" in server.get("/object_info").json()
        server.stop()
        server.start()  # the pack's interface is known before a worker is ready
        assert module_of(server) == "custom_nodes.video-pack"
    finally:
        server.stop()


def module_of(server):
    return server.get("/object_info/VHS_VideoCombine").json()["VHS_VideoCombine"]["python_module"]
