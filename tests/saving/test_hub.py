"""Models from the hub and its cache, and to it; the hub is a small server of this process."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from gnnfuse.model_card import ModelCard
from gnnfuse.saving import from_pretrained, push_to_hub, save_pretrained
from gnnfuse.tasks import Classification
from tests.saving.models import few_samples, small_task

COMMIT = "c" * 40


@dataclass
class Hub:
    """A repository "me/barks" with a saved model, a pickle and code; what was asked for."""

    files: dict[str, bytes]
    cache: Path
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    save_pretrained(small_task(), tmp_path / "repository")
    files = {path.name: path.read_bytes() for path in (tmp_path / "repository").iterdir()}
    found = Hub(files | {"pytorch_model.bin": b"pickle", "model.py": b"raise SystemExit"}, tmp_path / "cache")

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.wfile.write(self.answer())

        def answer(self) -> bytes:
            owner, name, _, revision, file = (self.path.removeprefix("/").split("/") + [""] * 5)[:5]
            known = (owner, name) == ("me", "barks") and revision in ("main", COMMIT) and file in found.files
            if "/resolve/" in self.path:  # the client asks for more about itself
                found.asked.append(file)
            content = found.files.get(file, b"") if known else b""
            self.send_response(200 if known else 404)
            if not known:
                self.send_header("X-Error-Code", "EntryNotFound" if name == "barks" else "RepoNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            return content

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.chdir(tmp_path)
    yield found
    server.shutdown()
    server.server_close()


def test_a_hub_id_fetches_two_files_and_works_offline_afterwards(hub: Hub) -> None:
    batch = small_task().builder(few_samples(), empty=True)
    loaded = Classification.from_pretrained("me/barks", cache_dir=hub.cache)
    assert torch.equal(loaded(batch), small_task()(batch))
    assert set(hub.asked) == {"config.json", "model.safetensors"}
    hub.asked.clear()
    again = from_pretrained("me/barks", cache_dir=hub.cache, local_files_only=True)
    assert torch.equal(again(batch), small_task()(batch))
    assert hub.asked == []


def test_a_folder_goes_before_the_hub(hub: Hub, tmp_path: Path) -> None:
    save_pretrained(small_task(seed=2), tmp_path / "me" / "barks")
    batch = small_task().builder(few_samples(), empty=True)
    assert torch.equal(from_pretrained("me/barks")(batch), small_task(seed=2)(batch))
    assert hub.asked == []


@pytest.mark.parametrize(
    ("source", "revision"), [("me/meows", None), ("me/barks", "v2")], ids=["no repository", "no revision"]
)
def test_what_is_not_there_is_one_message_with_the_command(hub: Hub, source: str, revision: str | None) -> None:
    at = f" --revision {revision}" if revision else ""
    expected = rf"found neither a folder '{source}' nor .*`hf download {source}{at}`"
    for local in (False, True):
        with pytest.raises(FileNotFoundError, match=expected) as caught:
            from_pretrained(source, revision=revision, cache_dir=hub.cache, local_files_only=local)
        assert "\n" not in str(caught.value)


def test_a_repository_without_safetensors_is_no_model(hub: Hub) -> None:
    del hub.files["model.safetensors"]
    with pytest.raises(FileNotFoundError, match="EntryNotFound"):
        from_pretrained("me/barks", cache_dir=hub.cache)
    assert "pytorch_model.bin" not in hub.asked


def test_files_of_two_commits_are_not_mixed(hub: Hub, tmp_path: Path) -> None:
    """The weights are asked for at the commit of the config."""
    from_pretrained("me/barks", cache_dir=hub.cache)
    (snapshot,) = hub.cache.glob("models--me--barks/snapshots/*")
    assert snapshot.name == COMMIT
    assert {path.name for path in snapshot.iterdir()} == {"config.json", "model.safetensors"}


@pytest.mark.parametrize("source", ["/no/where", "./me/barks", "one_word", "a/b/c", "me/ba rks", Path("me/barks")])
def test_what_can_be_no_hub_id_is_not_looked_for_there(hub: Hub, source: str | Path) -> None:
    with pytest.raises(FileNotFoundError, match="found no folder"):
        from_pretrained(source)
    assert hub.asked == []


def test_pushing_writes_a_folder_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    import huggingface_hub

    made: dict[str, object] = {}

    @dataclass
    class FakeApi:
        token: str | None = None

        def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> object:
            made.update(private=private, exist_ok=exist_ok)
            return type("Made", (), {"repo_id": f"me/{repo_id}"})

        def upload_folder(self, *, repo_id: str, folder_path: str, revision: str | None, commit_message: str) -> str:
            shutil.copytree(folder_path, tmp_path / "pushed")
            return f"the commit in {repo_id}"

    monkeypatch.setattr(huggingface_hub, "HfApi", FakeApi)
    task = small_task()
    assert push_to_hub(task, "barks", private=True) == "the commit in me/barks"
    assert made == {"private": True, "exist_ok": True}
    batch = task.builder(few_samples(), empty=True)
    assert torch.equal(from_pretrained(tmp_path / "pushed")(batch), task(batch))
    assert 'gnnfuse.from_pretrained("me/barks")' in (tmp_path / "pushed" / "README.md").read_text()
    shutil.rmtree(tmp_path / "pushed")
    task.push_to_hub("barks", card=ModelCard(name="My own name"))
    assert "# My own name" in (tmp_path / "pushed" / "README.md").read_text()
