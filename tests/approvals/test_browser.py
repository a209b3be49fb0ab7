"""The approval page in a real browser: keyboard, screen reader, phone, dark, and no JavaScript."""

import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from approvals.chromium import Browser, Chromium, needed, running
from approvals.kit import SECRET, Desk

pytestmark = [pytest.mark.anyio, pytest.mark.browser]
PICTURES = os.environ.get("PICTURES_IN")
"""A directory to leave pictures of the page in, for a person to look at."""
TAB = "\ue004"
ENTER = "\ue007"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser]:
    needed()
    with running(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture
async def browser(started: Browser) -> AsyncGenerator[Chromium]:
    async with started.window() as window:
        yield window


async def picture(window: Chromium, name: str) -> None:
    if PICTURES:
        await window.picture(Path(PICTURES) / f"{name}.png")


async def test_a_person_types_the_name_and_approves_without_javascript(desk: Desk, browser: Chromium) -> None:
    window = browser
    await window.scripts(on=False)
    visitor = await desk.ask(phrase="Shop")
    await window.go("data:text/html,<title>off</title><script>document.title='on'</script>")
    assert await window.title() == "off"
    await window.go(visitor.url)
    await window.shows("main", "DROPS and recreates 2 tables")
    await window.click("button[value=approve]")
    await window.shows("h1", "Should this run?")
    await window.type("#name", "Shopp")
    await window.click("button[value=approve]")
    await window.shows("[role=alert]", "The name is not the one shown")
    assert desk.store.open_decisions() != []
    await window.type("#name", "Shop")
    await window.click("button[value=approve]")
    await window.shows("h1", "Approved")
    standing = desk.standing(visitor)
    assert standing is not None
    assert standing.decision == "approved"
    await desk.pages.closed()


async def test_an_operator_decides_with_the_keyboard_alone(desk: Desk, browser: Chromium) -> None:
    visitor = await desk.ask("operator", phrase="Shop")
    await browser.go(visitor.url)
    focus = "const e = document.activeElement; return e.name + ' ' + e.value"
    seen: list[str] = []
    for typed in ("Shop", SECRET, "", ""):
        await browser.press(TAB)
        seen.append(await browser.run(focus))
        for key in typed:
            await browser.press(key)
    assert seen == ["name ", "secret ", "decision approve", "decision deny"]
    await browser.press(ENTER)
    await browser.shows("h1", "Denied")
    standing = desk.standing(visitor)
    assert standing is not None
    assert standing.decision == "denied"


async def test_enter_in_the_last_field_approves(desk: Desk, browser: Chromium) -> None:
    visitor = await desk.ask("operator", phrase="Shop")
    await browser.go(visitor.url)
    await browser.type("#name", "Shop")
    await browser.type("#secret", SECRET + ENTER)
    await browser.shows("h1", "Approved")
    assert await browser.log() == []


async def test_a_screen_reader_finds_landmarks_headings_labels_and_what_is_wrong(desk: Desk, browser: Chromium) -> None:
    visitor = await desk.ask("operator", phrase="Shop")
    await browser.go(visitor.url)
    tree = await browser.accessible()
    assert await browser.run("return document.documentElement.lang") == "en"
    for found in (
        ("RootWebArea", "Should this run? · Bulk syncs (local service)"),
        ("heading", "Should this run?"),
        ("heading", "What it would do"),
        ("list", "What it would do"),
        ("heading", "Can it be undone?"),
        ("textbox", "Type the name Shop to approve"),
        ("textbox", "Operator secret, to approve"),
        ("button", "Approve"),
        ("button", "Deny"),
    ):
        assert found in tree, tree
    assert {"banner", "main", "listitem", "term", "definition"} <= {role for role, _ in tree}
    await browser.type("#name", "Shop")
    await browser.type("#secret", "wrong" + ENTER)
    await browser.shows("[role=alert]", "Not approved.")
    assert (await browser.title()).startswith("Error: ")
    described = (
        "return document.getElementById(document.querySelector('#secret').getAttribute('aria-describedby')).innerText"
    )
    assert "not the operator secret; 4 tries are left" in await browser.run(described)
    assert any(role == "alert" for role, _ in await browser.accessible())


async def test_nothing_is_cut_off_on_a_small_screen(desk: Desk, browser: Chromium) -> None:
    name = "a_very_long_name_without_any_space_" * 2
    visitor = await desk.ask(
        "operator",
        phrase=name,
        effects=[{"effect": "DeletesSync", "text": f"Deletes “{name}”.", "identity": {"rule": "DeletesSync"}}],
    )
    heights = (
        "return [...document.querySelectorAll('button, #name, #secret')].map(e => e.getBoundingClientRect().height)"
    )
    for width in (320, 360, 1280):
        await browser.size(width, 740)
        await browser.go(visitor.url)
        assert await browser.run("return document.documentElement.scrollWidth") <= width
        assert min(await browser.run(heights)) >= 44
    assert await browser.log() == []


async def test_text_stands_out_from_its_background_by_day_and_by_night(desk: Desk, browser: Chromium) -> None:
    contrast = """
    const lum = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
      return .2126 * r + .7152 * g + .0722 * b };
    const rgb = s => s.match(/[\\d.]+/g).map(Number);
    const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c.slice(0, 3) } return [255, 255, 255] };
    let least = 99;
    for (const e of document.querySelectorAll('header, main *')) {
      if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
      const [a, b] = [lum(rgb(getComputedStyle(e).color).slice(0, 3)), lum(ground(e))].sort((x, y) => y - x);
      least = Math.min(least, (a + .05) / (b + .05)) }
    return least"""
    visitor = await desk.ask("operator", phrase="Shop")
    for dark in (False, True):
        for width in (360, 1280):
            await browser.size(width, 900, dark=dark)
            await browser.go(visitor.url)
            assert await browser.run(contrast) >= 6.5
            await picture(browser, f"question-{width}-{'dark' if dark else 'light'}")
    await browser.size(360, 740)
    await browser.type("#name", "Shop")
    await browser.type("#secret", "wrong" + ENTER)
    await browser.shows("[role=alert]", "Not approved.")
    await picture(browser, "wrong-360")
    await browser.type("#name", "Shop")
    await browser.type("#secret", SECRET + ENTER)
    await browser.shows("h1", "Approved")
    await picture(browser, "approved-360")
    assert await browser.run(contrast) >= 6.5


async def test_another_site_cannot_frame_the_page_nor_send_its_form(
    desk: Desk, browser: Chromium, tmp_path: Path
) -> None:
    visitor = await desk.ask()
    await visitor.read()
    evil = tmp_path / "evil.html"
    evil.write_text(
        f'<iframe src="{visitor.url}"></iframe><form method="post" action="{visitor.url}">'
        f'<input name="csrf" value="{visitor.csrf}"><button name="decision" value="approve">x</button></form>'
    )
    await browser.go(evil.as_uri())
    assert any("frame-ancestors" in line or "X-Frame-Options" in line for line in await browser.log())
    await browser.click("button")
    await browser.shows("main", "The form came from another place")
    standing = desk.standing(visitor)
    assert standing is not None
    assert standing.decision is None
