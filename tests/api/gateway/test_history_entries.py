"""What entries of the history say beside what ComfyUI's say."""

from tests.api.live import blocking_graph, picture_graph


def test_an_entry_tells_how_its_task_ended(live):
    job_id = live.submit(picture_graph(41))
    entry = live.wait(job_id)
    assert (entry["task"]["task_id"], entry["task"]["status"]) == (job_id, "success")
    assert entry["task"]["ended_ms"] > 1.6e12
    assert live.get("/api/history").json()[job_id]["task"] == entry["task"]


def test_a_cancelled_task_is_told_from_one_that_failed(live):
    job_id = live.submit(blocking_graph(43))
    live.until_running(job_id)
    live.post("/interrupt", {"prompt_id": job_id})
    entry = live.wait(job_id)
    assert (entry["status"]["status_str"], entry["task"]["status"]) == ("error", "cancelled")
