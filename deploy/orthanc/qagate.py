"""qagate beside Orthanc: sends every stable CT and MR series to qagate and shows the verdict in Orthanc Explorer.

orthanc.json needs three lines (and the package orthanc-python):

    "PythonScript": "/etc/orthanc/qagate.py",
    "DicomModalities": {"qagate": ["QAGATE", "10.0.0.9", 11112]},
    "Qagate": {"Url": "http://10.0.0.9:8080", "Token": "..."}

Optional in "Qagate": "Modality" (name under DicomModalities, "qagate"), "Link" (address people use, Url when absent),
"Backfill" (true: also what the archive held before the first start, false).

Every series is sent once for each set of its images: the set that qagate took is kept as metadata of the series. What
changed while Orthanc or qagate was away is found in Orthanc's own list of changes. If power fails between the sending
and the note, a series is sent again; qagate knows its images and answers as before.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import urllib.error
import urllib.request

import orthanc

TAKEN = "4711"  # metadata of a series: digest of the set of images that qagate took
MARK = 4711  # global property: number of the last change that is dealt with
MODALITIES = ("CT", "MR")
WATCHED = ("NewSeries", "StableSeries", "NewInstance")
SECONDS_BETWEEN_LOOKS = 1.0
RETRY_SECONDS = (5, 15, 60, 300)

_settings = json.loads(orthanc.GetConfiguration())
_ours = _settings.get("Qagate", {})
PEER = _ours.get("Modality", "qagate")
URL = str(_ours.get("Url", "")).rstrip("/")
LINK = str(_ours.get("Link", URL)).rstrip("/")

EXPLORER = """
$('#series').live('pagebeforeshow', function () {
  var uuid = $.mobile.pageData && $.mobile.pageData.uuid;
  $('#qagate-verdict').remove();
  if (!uuid) { return; }
  $.getJSON('../qagate/series/' + uuid, function (said) {
    // a late answer must not stand on the page of another series
    if (!$.mobile.pageData || $.mobile.pageData.uuid !== uuid) { return; }
    var line = $('<p>').attr('id', 'qagate-verdict').css({ margin: '0.5em 1em', fontWeight: 'bold' });
    line.append(document.createTextNode('qagate: ' + said.words + ' '));
    if (said.url) { line.append($('<a>').attr({ href: said.url, target: '_blank', rel: 'noopener' }).text('why?')); }
    $('#qagate-verdict').remove();
    line.insertBefore($('#series-delete').closest('ul'));
  });
});
"""


class Sender(threading.Thread):
    """Looks at Orthanc's list of changes and sends what is stable and not taken yet."""

    def __init__(self) -> None:
        super().__init__(name="qagate", daemon=True)
        self.wake = threading.Event()
        self.stopping = False
        self._seen = -1  # not known yet
        self._pending: dict[str, tuple[int, float, int]] = {}  # series → number of its change, due at, failures

    def run(self) -> None:
        """Go on until Orthanc stops; one bad series or minute never ends it."""
        while not self.stopping:
            try:
                if self._seen < 0:
                    self._seen = self._first_mark()
                self._read_changes()
                self._send_due()
                self._keep_mark()
            except Exception as error:
                orthanc.LogError(f"qagate: {error}; trying again")
            self.wake.wait(SECONDS_BETWEEN_LOOKS)
            self.wake.clear()

    def _first_mark(self) -> int:
        kept = orthanc.GetGlobalProperty(MARK, "")
        if kept:
            return int(kept)
        if _ours.get("Backfill", False):
            return 0
        return int(_get("/changes?last")["Last"])

    def _read_changes(self) -> None:
        while not self.stopping:
            page = _get(f"/changes?since={self._seen}&limit=500")
            for change in page["Changes"]:
                if change["ChangeType"] in WATCHED:
                    series = _series_of(change)
                    if series is not None and series not in self._pending:
                        self._pending[series] = (int(change["Seq"]), 0.0, 0)
            self._seen = int(page["Last"])
            if page["Done"]:
                return

    def _send_due(self) -> None:
        for series, (number, due, failures) in list(self._pending.items()):
            if self.stopping or time.monotonic() < due:
                continue
            try:
                settled = _settle(series)
            except orthanc.OrthancException as error:
                delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                orthanc.LogWarning(f"qagate: series {series} was not taken ({error}); again in {delay} s")
                self._pending[series] = (number, time.monotonic() + delay, failures + 1)
                continue
            if settled:
                del self._pending[series]

    def _keep_mark(self) -> None:
        mark = min((number - 1 for number, _, _ in self._pending.values()), default=self._seen)
        if orthanc.GetGlobalProperty(MARK, "") != str(mark):
            orthanc.SetGlobalProperty(MARK, str(mark))


def _settle(series: str) -> bool:
    """Send a series if it must be sent; False while images are still coming."""
    about = _get(f"/series/{series}", missing=None)
    if about is None or about["MainDicomTags"].get("Modality") not in MODALITIES:
        return True  # gone, or nothing to judge: qagate's own documents are neither CT nor MR
    if not about["IsStable"]:
        return False
    digest = hashlib.sha256("\n".join(sorted(about["Instances"])).encode()).hexdigest()
    if _metadata(series) == digest:
        return True
    body = {"Resources": [series], "Synchronous": True}
    orthanc.RestApiPost(f"/modalities/{PEER}/store", json.dumps(body))
    orthanc.RestApiPut(f"/series/{series}/metadata/{TAKEN}", digest)
    return True


def _metadata(series: str) -> str:
    try:
        return orthanc.RestApiGet(f"/series/{series}/metadata/{TAKEN}").decode()
    except orthanc.OrthancException:
        return ""


def _series_of(change: dict[str, str]) -> str | None:
    if change["ResourceType"] == "Series":
        return change["ID"]
    about = _get(f"/instances/{change['ID']}", missing=None)
    return None if about is None else about["ParentSeries"]


_FAILS = object()


def _get(path: str, missing: object = _FAILS):  # type: ignore[no-untyped-def]
    """GET from Orthanc itself; `missing` is returned for what is not there, when given."""
    try:
        return json.loads(orthanc.RestApiGet(path))
    except orthanc.OrthancException:
        if missing is _FAILS:
            raise
        return missing


def verdict_words(said: dict[str, object]) -> str:
    """Return what stands on the page of a series, from qagate's answer."""
    if not said.get("word"):
        return f"no verdict yet ({said.get('state', 'unknown')})"
    score = said.get("score")
    head = str(said["word"]) if score is None else f"{said['word']} {float(str(score)):.0f}"
    return f"{head} · {said['reason']}" if said.get("reason") else head


def answer_verdict(output: object, uri: str, **request: object) -> None:
    """Answer GET /qagate/series/{Orthanc's identifier}: {"words": ..., "url": ... or null}."""
    del uri
    about = _get(f"/series/{request['groups'][0]}", missing=None)  # type: ignore[index]
    if about is None:
        output.SendHttpStatusCode(404)  # type: ignore[attr-defined]
        return
    uid = about["MainDicomTags"]["SeriesInstanceUID"]
    url: str | None = f"{LINK}/series/{uid}" if LINK else None
    asked = urllib.request.Request(f"{URL}/api/v1/series/{uid}")
    if _ours.get("Token"):
        asked.add_header("Authorization", f"Bearer {_ours['Token']}")
    try:
        with urllib.request.urlopen(asked, timeout=3) as answer:
            words = verdict_words(json.load(answer))
    except urllib.error.HTTPError as error:
        words = "not known there" if error.code == 404 else f"it refuses to say (HTTP {error.code})"
        url = None
    except (OSError, ValueError):
        words, url = "it does not answer", None
    output.AnswerBuffer(json.dumps({"words": words, "url": url}), "application/json")  # type: ignore[attr-defined]


class Changes:
    """Starts and stops the sender with Orthanc, and lets it look at once when a series is stable."""

    def __init__(self) -> None:
        self._sender: Sender | None = None

    def __call__(self, kind: int, level: int, resource: str) -> None:
        """Take one event. Orthanc must not be asked anything in here, or it waits for itself."""
        del level, resource
        if kind == orthanc.ChangeType.ORTHANC_STARTED:
            self._sender = Sender()
            self._sender.start()
        elif self._sender is not None and kind == orthanc.ChangeType.STABLE_SERIES:
            self._sender.wake.set()
        elif self._sender is not None and kind == orthanc.ChangeType.ORTHANC_STOPPED:
            self._sender.stopping = True
            self._sender.wake.set()


orthanc.RegisterOnChangeCallback(Changes())
if URL:
    orthanc.RegisterRestCallback("/qagate/series/([0-9a-f-]+)", answer_verdict)
    orthanc.ExtendOrthancExplorer(EXPLORER)
