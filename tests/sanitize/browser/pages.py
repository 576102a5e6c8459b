"""Pages for a browser to judge, and the browser."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Verdict", "browser", "judge", "page"]

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: What runs is told by what it calls, sets or throws. Text in the title would be, too.
_WATCH: Final = """
window.ran = []; window.broken = []; window.got = [];
for (const name of ['alert', 'prompt', 'confirm', 'print', 'eval', 'open', 'fetch', 'Function',
                    'setTimeout', 'postMessage', 'importScripts', 'Image', 'XMLHttpRequest'])
  { const real = window[name];
    window[name] = function (...said) { ran.push(name + ' ' + said.map(String).join().slice(0, 80));
                                        return name === 'Function' ? () => 0 : undefined; };
    window['real_' + name] = real; }
for (const name of ['cookie', 'domain'])
  Object.defineProperty(document, name, {get() { ran.push('read ' + name); return ''; },
                                         set() { ran.push('set ' + name); }});
document.title = 'quiet';
"""
#: Looks at what the parser made of each cleaned fragment, has it parsed again, and plays a user.
_LOOK: Final = """
const bad = (where, what) => broken.push(where + ': ' + what);
const scheme = url => {
  try { return new URL(url, 'https://base.invalid/').protocol; }
  catch { return 'https:'; }  // it leads nowhere
};
const look = () => {
  for (const [index, cage] of document.querySelectorAll('.cage').entries()) {
    if (cage.parentNode !== document.getElementById('zoo')) bad(index, 'out of its place');
    for (const one of cage.querySelectorAll('*')) {
      if (one.namespaceURI !== 'http://www.w3.org/1999/xhtml') bad(index, one.namespaceURI);
      if (/^(script|style|iframe|frame|object|embed|base|meta|link|template|form|input)$/
          .test(one.localName)) bad(index, one.localName);
      for (const {name, value} of one.attributes) {
        if (/^on|^style$|^srcdoc$|^id$|^name$|^class$/.test(name)) bad(index, name);
        if (/^(href|src|cite|action|formaction|xlink:href|data|poster|background)$/.test(name) &&
            !/^(https?|mailto):$/.test(scheme(value)))
          bad(index, value);
      }
      for (const type of ['click', 'mouseover', 'focus', 'error', 'load', 'toggle', 'pointerenter'])
        one.dispatchEvent(new Event(type, {bubbles: true, cancelable: true}));
    }
    cage.innerHTML = cage.innerHTML;
  }
};
document.addEventListener('click', event => event.preventDefault(), true);
addEventListener('load', () => {
  if (window.expected && JSON.stringify(got) !== JSON.stringify(expected))
    bad('json', 'not the same');
  for (const element of document.querySelectorAll('script.data'))
    got.push(JSON.parse(element.textContent));
  look(); look(); look();
  real_setTimeout(() => {
    if (document.title !== 'quiet') ran.push('title ' + document.title);
    const said = btoa(unescape(encodeURIComponent(JSON.stringify(
      {ran, broken, got: got.length, cages: document.querySelectorAll('#zoo > .cage').length}))));
    document.body.innerHTML = '';
    document.documentElement.setAttribute('data-verdict', said);
  }, 1500);
});
"""


@dataclass(frozen=True)
class Verdict:
    """What a browser found.

    Attributes:
        ran: what was called or set by what was to do nothing.
        broken: what stands where it must not.
        got: how many values came from JSON.
        cages: how many fragments stand in a place of their own.
    """

    ran: list[str]
    broken: list[str]
    got: int
    cages: int


def browser() -> str | None:
    """Return where a browser is, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def page(
    *, fragments: Iterable[str] = (), scripts: Iterable[bytes] = (), expected: Any = None
) -> bytes:
    """Return a page.

    Args:
        fragments: markup, each in an element of its own.
        scripts: elements or text that stand behind these, as they are.
        expected: what ``got`` is to be when all of it was parsed.
    """
    told = base64.b64encode(json.dumps(expected).encode()).decode()
    head = f"<!doctype html><meta charset=utf-8><script>{_WATCH}window.expected = JSON.parse("
    head += f"decodeURIComponent(escape(atob('{told}'))));{_LOOK}</script><body><div id=zoo>"
    cages = "".join(f"<div class=cage>{fragment}</div>\n" for fragment in fragments)
    return head.encode() + cages.encode("utf-8", "replace") + b"</div>" + b"\n".join(scripts)


def framed(payloads: Iterable[str]) -> list[str]:
    """Return frames, each with a payload as it is, that tell this page what runs in them."""
    watch = "<script>alert = said => parent.ran.push('alert ' + said)</script>"
    rules = "allow-scripts allow-same-origin"
    return [
        f'<iframe sandbox="{rules}" srcdoc="{escape(watch + one)}"></iframe>' for one in payloads
    ]


def judge(path: Path, made: bytes) -> Verdict:
    """Have a browser load a page."""
    (path / "page.html").write_bytes(made)
    found = browser()
    assert found is not None
    command = [found, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=8000"]
    command += [f"--user-data-dir={path / 'profile'}", "--dump-dom", (path / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    said = re.search(rb'data-verdict="([A-Za-z0-9+/=]*)"', done.stdout)
    assert said is not None, done.stdout[-2000:] + done.stderr[-2000:]
    return Verdict(**json.loads(base64.b64decode(said[1])))
