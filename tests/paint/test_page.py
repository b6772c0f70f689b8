import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from studio import FRAMES, HOST, SIZE, TOKEN, square

from jointvos.paint.guard import LARGEST_BODY
from jointvos.paint.transport import pack_labels, unpack_labels


def test_the_page_and_all_that_it_loads_come_from_the_server(studio):
    page = studio.client.get("")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http-equiv", "").replace("http://www.w3.org/", "")
    names = [part.split('"')[0] for part in page.text.split('"static/')[1:]]
    assert "page.js" in names
    for name in names:
        assert studio.client.get(f"static/{name}").status_code == 200, name


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/", {}, 403, id="no token"),
        pytest.param("/wrong/state", {}, 403, id="wrong token"),
        pytest.param(f"/{TOKEN}/state", {"host": "evil.example"}, 421, id="other host"),
        pytest.param(f"/{TOKEN}/state", {"host": "127.0.0.1:9"}, 421, id="other port"),
        pytest.param(f"/{TOKEN}/state", {"origin": "http://evil.example"}, 403, id="other origin"),
        pytest.param(f"/{TOKEN}/state", {"origin": "null"}, 403, id="no origin to speak of"),
        pytest.param(f"/{TOKEN}/state", {"sec-fetch-site": "cross-site"}, 403, id="other site"),
        pytest.param(f"/{TOKEN}/state", {}, 200, id="right"),
    ],
)
def test_others_are_refused(studio, path, headers, status):
    client = TestClient(studio.client.app, base_url=f"http://{HOST}", raise_server_exceptions=True)
    answer = client.get(path, headers=headers)
    assert answer.status_code == status
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "way", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "a/../../x"]
)
def test_no_path_leads_out_of_the_static_files(studio, way):
    answer = studio.client.get(f"static/{way}")
    assert answer.status_code in (403, 404)
    assert "import" not in answer.text


def test_a_large_body_is_refused_whether_it_is_announced_or_not(studio):
    big = bytes(50 * 2**20)
    announced = studio.client.put("mask/0?given=1", content=big)
    assert announced.status_code == 413
    pieces = (big[i : i + 2**20] for i in range(0, len(big), 2**20))
    assert studio.client.put("mask/0?given=1", content=pieces).status_code == 413
    assert len(big) > LARGEST_BODY
    assert studio.project.painted() == []


BOX = b'{"x":1,"y":1,"width":3,"height":3}'
POINT = b'{"x":500,"y":1,"tolerance":3}'
FAR = b'{"inside":[[500,1]],"outside":[]}'
BLANK = pack_labels(np.zeros(SIZE, np.uint8))


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "says"),
    [
        pytest.param("PUT", "mask/0", b"abc", 422, "3 bytes", id="half a run"),
        pytest.param("PUT", "mask/0", bytes([1, 9, 0, 0]), 422, "9 pixels", id="too few pixels"),
        pytest.param("PUT", "mask/0?given=x", None, 422, "no list of IDs", id="no IDs"),
        pytest.param("PUT", "mask/0?given=255", None, 422, "ID 255", id="void is no object"),
        pytest.param("PUT", "mask/99?given=1", None, 404, "no frame 99", id="no such frame"),
        pytest.param("POST", "box/0", b"{", 422, "no JSON", id="no JSON"),
        pytest.param("POST", "box/0", BOX, 422, "larger", id="box"),
        pytest.param("POST", "similar/0", POINT, 422, "outside", id="out"),
        pytest.param(
            "POST", "points/0", b'{"inside":[],"outside":[[1,1]]}', 422, "click", id="none inside"
        ),
        pytest.param("POST", "points/0", FAR, 422, "inside of the frame", id="far points"),
        pytest.param("POST", "points/0", b'{"inside":[[1]]}', 422, "expected points", id="points"),
        pytest.param("POST", "strokes/0", BLANK, 422, "stroke inside", id="no stroke"),
        pytest.param("POST", "follow", b'{"way":"up"}', 422, "expected forward", id="way"),
        pytest.param("POST", "follow", b'{"way":"forward"}', 422, "nothing to follow", id="empty"),
        pytest.param("POST", "export", b'{"files":{"png":"a"}}', 422, "no mask yet", id="no mask"),
        pytest.param("PUT", "objects", b'[{"id":1}]', 422, "expected a list", id="objects"),
    ],
)
def test_what_makes_no_sense_is_told(studio, method, path, content, status, says):
    content = pack_labels(square()) if content is None else content
    answer = studio.client.request(method, path, content=content)
    assert answer.status_code == status
    assert says in answer.json()["error"]


def test_frames_are_those_of_the_video(studio):
    answer = studio.client.get("frame/17")
    assert answer.headers["content-type"] == "image/jpeg"
    (studio.clip.parent / "17.jpg").write_bytes(answer.content)
    shown = np.asarray(Image.open(studio.clip.parent / "17.jpg").convert("RGB")).astype(int)
    yellow = np.flatnonzero((shown[45, :, 0] > 190) & (shown[45, :, 2] < 130))
    assert (yellow.min(), yellow.max()) == pytest.approx((10 + 2 * 17, 39 + 2 * 17), abs=1)
    assert studio.client.get(f"frame/{FRAMES}").status_code == 404


def test_labels_survive_the_way_there_and_back():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (37, 53), dtype=np.uint8)
    flat = np.full((5000, 4000), 7, np.uint8)  # a run longer than 24 bits tell
    for labels in (noise, flat, square()):
        assert np.array_equal(unpack_labels(pack_labels(labels), *labels.shape), labels)


def test_what_is_painted_is_shown_and_stored_to_the_pixel(studio):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, SIZE, dtype=np.uint8)
    studio.paint(3, labels, "1,2,3")
    assert np.array_equal(studio.mask(3), labels)
    assert np.array_equal(np.asarray(Image.open(studio.project.masks / "00003.png")), labels)
    state = studio.client.get("state").json()
    assert state["painted"] == {"3": [1, 2, 3]}
    assert [each["id"] for each in state["objects"]] == [1, 2, 3]
    assert state["video"] | {"fps": 25.0, "frames": FRAMES, "exact": True} == state["video"]


def test_a_second_tab_takes_over(studio):
    old = dict(studio.client.headers)
    tab = studio.client.post("tab").json()["tab"]
    assert {"kind": "tab", "tab": tab} in studio.told
    body = pack_labels(square())
    refused = studio.client.put("mask/0?given=1", content=body, headers={"x-tab": old["x-tab"]})
    assert refused.status_code == 409
    assert "another tab" in refused.json()["error"]
    assert studio.client.get("state").status_code == 200  # looking on is allowed
    taken = studio.client.put("mask/0?given=1", content=body, headers={"x-tab": tab})
    assert taken.status_code == 200


STROKES = np.zeros(SIZE, np.uint8)
STROKES[40:50, 15:35] = 2
STROKES[5:8, 5:120] = STROKES[74:76, 5:25] = 3


@pytest.mark.parametrize(
    ("tool", "body", "least"),
    [
        ("box", {"x": 4, "y": 24, "width": 42, "height": 42}, 0.9),
        ("points", {"inside": [[20, 45], [30, 40]], "outside": [[100, 80]]}, 0.85),
        ("strokes", STROKES, 0.85),
        ("similar", {"x": 20, "y": 40, "tolerance": 40}, 0.8),
    ],
    ids=["box", "points", "strokes", "similar"],
)
def test_every_tool_finds_the_square(studio, tool, body, least):
    sent = {"content": pack_labels(body)} if tool == "strokes" else {"json": body}
    found = unpack_labels(studio.client.post(f"{tool}/0", **sent).content, *SIZE) > 0
    truth = square() > 0
    assert (found & truth).sum() / (found | truth).sum() > least
    if tool == "strokes":
        assert found[STROKES == 2].all()
        assert not found[STROKES == 3].any()


def test_done_ends_it(studio):
    assert not studio.finished.is_set()
    assert studio.client.post("done").status_code == 200
    assert studio.finished.is_set()
