"""Downloads: verified, all or nothing, once for all processes."""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import certificate
from weights.hub import CONTENT, Hub, isolate, logged, serving, whisper_model

from voiceflow import WeightsError, weights

OBTAIN = """
import logging, sys
from weights.hub import whisper_model
from voiceflow import weights
logging.getLogger("voiceflow").addHandler(logging.StreamHandler(sys.stdout))
logging.getLogger("voiceflow").setLevel(logging.INFO)
print(weights.obtain(whisper_model()))
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving() as hub:
        isolate(tmp_path, monkeypatch, hub.address)
        yield hub


def obtain_elsewhere() -> subprocess.Popen[str]:
    """Another process that obtains the model."""
    tests = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(tests)}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", OBTAIN], stdout=pipe, stderr=pipe, text=True, env=environment)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_is_downloaded_once_and_found_in_the_cache_from_then_on(hub: Hub, tmp_path: Path) -> None:
    model = whisper_model()
    hub.publish(model)
    folder = weights.obtain(model)
    assert folder == tmp_path / "cache" / "whisper" / "minute"
    assert files_in(folder) == CONTENT
    assert hub.requested == [f"/Systran/faster-whisper-minute/resolve/0a1b2c/{name}" for name in CONTENT]
    assert weights.obtain(model) == folder
    assert len(hub.requested) == len(CONTENT)
    assert weights.where(model) == "cached"


def test_a_download_says_in_one_line_what_and_from_where(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    hub.publish(whisper_model())
    with caplog.at_level(logging.INFO, "voiceflow.weights"):
        weights.obtain(whisper_model())
    source = f"{hub.address}/Systran/faster-whisper-minute"
    assert logged(caplog, logging.INFO) == [f"downloading minute, 0 MB, from {source}"]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"WEIGHTS" * 1000, "has the SHA-256 sum"),
        (b"weights" * 999, "has 6993 bytes: expected 7000"),
        (b"weights" * 1001, "has 7007 bytes: expected 7000"),
        (b"", "has 0 bytes"),
    ],
)
def test_a_file_that_is_not_the_one_in_the_catalogue_is_not_kept(
    hub: Hub, tmp_path: Path, data: bytes, complaint: str
) -> None:
    model = whisper_model()
    hub.publish(model, {**CONTENT, "model.bin": data})
    with pytest.raises(WeightsError, match=complaint):
        weights.obtain(model)
    assert not (tmp_path / "cache" / "whisper" / "minute").exists()
    hub.publish(model)
    assert files_in(weights.obtain(model)) == CONTENT


def test_an_interrupted_download_leaves_nothing(hub: Hub, tmp_path: Path) -> None:
    model = whisper_model()
    hub.publish(model)
    hub.breaks_off = True
    with pytest.raises(WeightsError, match=r"model\.bin: peer closed connection"):
        weights.obtain(model)
    assert not (tmp_path / "cache" / "whisper" / "minute").exists()


def test_what_arrived_before_an_interruption_is_not_downloaded_again(hub: Hub) -> None:
    model = whisper_model()
    hub.publish(model, {"model.bin": CONTENT["model.bin"]})
    with pytest.raises(WeightsError, match=r"config\.json: the server answered 404 Not Found"):
        weights.obtain(model)
    hub.publish(model)
    assert files_in(weights.obtain(model)) == CONTENT
    assert sum(path.endswith("model.bin") for path in hub.requested) == 1


def test_without_a_network_the_error_says_what_was_tried_and_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(tmp_path, monkeypatch)
    with pytest.raises(WeightsError) as raised:
        weights.obtain(whisper_model())
    head, cache, download, remedy = str(raised.value).splitlines()
    assert head == "cannot get minute for whisper:"
    assert cache == f"  not in {tmp_path / 'cache' / 'whisper' / 'minute'}"
    assert download.startswith("  http://127.0.0.1:9/Systran/faster-whisper-minute/resolve/0a1b2c/model.bin: ")
    assert remedy == "Run where there is a network: voiceflow models download minute"


def test_an_address_that_is_none_is_told_like_a_missing_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate(tmp_path, monkeypatch, "nonsense")
    with pytest.raises(WeightsError, match="nonsense/Systran"):
        weights.obtain(whisper_model())


# What a hub, or somebody on the way to it, may do


def test_a_model_of_which_no_sum_is_known_is_refused_wherever_it_is(hub: Hub, tmp_path: Path) -> None:
    model = whisper_model(sums=False)
    hub.publish(model)
    folder = tmp_path / "cache" / "whisper" / "minute"
    folder.mkdir(parents=True)
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    assert weights.where(model) is None
    with pytest.raises(WeightsError, match=r"no SHA-256 sum is known of model\.bin and config\.json\. Get them"):
        weights.obtain(model)
    assert hub.requested == []


def test_plain_http_has_to_be_allowed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    model = whisper_model()
    hub.publish(model)
    monkeypatch.delenv("VOICEFLOW_PLAIN_HTTP")
    with pytest.raises(WeightsError, match=r"by plain HTTP, .* allow this by VOICEFLOW_PLAIN_HTTP=1"):
        weights.obtain(model)
    assert hub.requested == []
    assert files_in(weights.obtain(model, plain_http=True)) == CONTENT


def test_a_hub_with_tls_leads_to_no_server_without(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = whisper_model()
    hub.publish(model)
    own = certificate(tmp_path / "certificate", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(own.authority))
    monkeypatch.delenv("VOICEFLOW_PLAIN_HTTP")
    with serving(own) as secure:
        monkeypatch.setenv("HF_ENDPOINT", secure.address)
        secure.redirects = {path: f"{hub.address}{path}" for path in hub.files}
        with pytest.raises(WeightsError, match=r"127\.0\.0\.1 would be asked by plain HTTP"):
            weights.obtain(model)
        assert hub.requested == []
        secure.redirects = {path: f"/stored{path}" for path in hub.files}
        secure.files = hub.files
        assert files_in(weights.obtain(model)) == CONTENT


def test_a_hub_may_lead_elsewhere_but_not_in_circles(hub: Hub) -> None:
    model = whisper_model()
    hub.publish(model)
    hub.redirects = {path: path for path in hub.files}
    with pytest.raises(WeightsError, match="redirects more than 5 times"):
        weights.obtain(model)
    hub.redirects = {path: f"{hub.address}/stored{path}" for path in hub.files}
    assert files_in(weights.obtain(model)) == CONTENT


@pytest.mark.parametrize("elsewhere", ["file:///etc/passwd", "ftp://example.com/x", "http://[", "http://"])
def test_a_hub_that_leads_to_no_web_server_is_an_error(hub: Hub, elsewhere: str) -> None:
    hub.publish(whisper_model())
    hub.redirects = dict.fromkeys(hub.files, elsewhere)
    with pytest.raises(WeightsError, match=r"model\.bin"):
        weights.obtain(whisper_model())


@pytest.mark.parametrize("redirects", [True, False])
def test_of_an_answer_without_end_no_more_is_read_than_the_file_has(hub: Hub, tmp_path: Path, redirects: bool) -> None:
    model = whisper_model()
    hub.publish(model)
    hub.endless = True
    if redirects:
        hub.redirects = {path: path for path in hub.files}
    with pytest.raises(WeightsError, match="redirects more than" if redirects else "more than the 7000 bytes"):
        weights.obtain(model)
    assert not list((tmp_path / "cache").rglob("*.bin*"))


@pytest.mark.parametrize("announced", ["6999", "7001", "99999999999", "0"])
def test_a_length_that_is_not_the_files_is_refused_before_it_is_read(hub: Hub, announced: str) -> None:
    hub.publish(whisper_model())
    hub.headers = {"Content-Length": announced}
    with pytest.raises(WeightsError, match=f"has {announced} bytes: expected 7000"):
        weights.obtain(whisper_model())


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_nothing_is_decompressed(hub: Hub, encoding: str) -> None:
    model = whisper_model()
    hub.publish(model, CONTENT | {"model.bin": gzip.compress(CONTENT["model.bin"])})
    hub.headers = {"Content-Encoding": encoding}
    with pytest.raises(WeightsError, match=f"in the encoding '{encoding}': expected it as it is"):
        weights.obtain(model)


def test_two_processes_at_once_download_once(hub: Hub) -> None:
    hub.publish(whisper_model())
    hub.hold.clear()
    processes = [obtain_elsewhere()]
    try:
        assert hub.asked.wait(60)
        processes.append(obtain_elsewhere())
        second = processes[1].stdout
        assert second is not None
        assert second.readline() == "waiting for another process that gets minute\n"
        hub.hold.set()
        folders = [process.communicate(timeout=60)[0].splitlines()[-1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert folders[0] == folders[1]
    assert files_in(Path(folders[0])) == CONTENT
    assert len(hub.requested) == len(CONTENT)


def test_a_process_that_is_killed_hinders_nobody(hub: Hub, tmp_path: Path) -> None:
    model = whisper_model()
    hub.publish(model)
    hub.hold.clear()
    process = obtain_elsewhere()
    try:
        assert hub.asked.wait(60)
    finally:
        process.kill()
        process.communicate()
    assert list(tmp_path.rglob("*.part"))
    hub.hold.set()
    assert files_in(weights.obtain(model)) == CONTENT


def test_a_corrupted_file_in_the_cache_is_replaced_and_the_log_says_so(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    model = whisper_model()
    hub.publish(model)
    folder = weights.obtain(model)
    (folder / "model.bin").write_bytes(b"w" * 7000)
    assert weights.where(model) is None
    assert files_in(weights.obtain(model)) == CONTENT
    assert logged(caplog) == [f"{folder / 'model.bin'} is corrupted: it is replaced"]


def test_a_file_is_not_read_again_to_be_verified_while_it_stays_as_it_is(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = whisper_model()
    hub.publish(model)
    folder = weights.obtain(model)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert weights.obtain(model) == folder


@pytest.mark.parametrize("note", [b"", b"{}", b"[1]", b"\xff"])
def test_a_note_about_a_sum_that_cannot_be_read_is_made_anew(hub: Hub, tmp_path: Path, note: bytes) -> None:
    model = whisper_model()
    hub.publish(model)
    folder = weights.obtain(model)
    for file in (tmp_path / "cache" / "verified").iterdir():
        file.write_bytes(note)
    assert weights.obtain(model) == folder
    assert len(hub.requested) == len(CONTENT)


def test_a_cache_that_cannot_be_written_is_named_with_the_variable_to_set(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(whisper_model())
    (tmp_path / "file").touch()
    monkeypatch.setenv("VOICEFLOW_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match=r"cannot write to .*file/cache.*: Not a directory; set VOICEFLOW_CACHE"):
        weights.obtain(whisper_model())


def test_what_hugging_faces_tools_downloaded_is_used_if_it_is_complete(hub: Hub, tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--Systran--faster-whisper-minute" / "snapshots" / "f00"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_bytes(CONTENT["config.json"])
    assert weights.where(whisper_model()) is None
    (snapshot / "model.bin").write_bytes(CONTENT["model.bin"])
    assert weights.where(whisper_model()) == "cached"
    assert weights.obtain(whisper_model()) == snapshot
    (snapshot / "model.bin").write_bytes(b"else")
    assert weights.where(whisper_model()) is None
    assert hub.requested == []
    with pytest.raises(WeightsError, match=rf"not in {snapshot}: model\.bin is corrupted"):
        weights.obtain(whisper_model())
