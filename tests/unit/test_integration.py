"""`connector integration build` writes a submission that LaunchDarkly's schema, prettier and reviewers take."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.integration import icons, submission
from connector.integration.listing import CATEGORIES
from connector.launchdarkly import least_privilege_policy
from tests.needs import lacking

REPOSITORY = Path(__file__).parents[2]
SCHEMA = json.loads(Path(__file__).with_name("integration_manifest.schema.json").read_text())
HOW_TO = (REPOSITORY / "docs/how-to/submit-the-integration.md").read_text()
FILES = ["README.md", "assets/images/horizontal.svg", "assets/images/square.svg", "manifest.json"]

SQUARE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><path d="M0 0h10v10z"/></svg>'
HORIZONTAL = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30,10"><path d="M0 0h30v10z"/></svg>'


@pytest.fixture
def listing_file(tmp_path: Path) -> Path:
    """The how-to's own example, with a company that could be a real one."""
    [example] = re.findall(r"```toml\n(.*?)```", HOW_TO, re.DOTALL)
    path = tmp_path / "acme" / "listing.toml"
    path.parent.mkdir()
    path.write_text(example.replace("acme.example", "acme-analytics.com"))
    (path.parent / "acme-square.svg").write_text(SQUARE)
    (path.parent / "acme-horizontal.svg").write_text(HORIZONTAL)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def build(out: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["integration", "build", "--out", str(out), *map(str, arguments)])


def manifest(out: Path) -> dict[str, object]:
    return json.loads((out / "manifest.json").read_text())


def written(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def sentences(result: Result) -> list[str]:
    return [line.removeprefix("Error: ") for line in result.stderr.splitlines()]


class TestTheDirectory:
    def test_the_committed_one_is_what_build_writes_without_options(self, out):
        assert build(out).exit_code == 0
        assert written(REPOSITORY / "integration") == written(out)

    def test_it_holds_four_files_and_nothing_else(self, out):
        build(out)
        assert sorted(written(out)) == FILES

    def test_the_manifest_keeps_the_schema(self, out, listing_file):
        for arguments in ([], ["--from", listing_file]):
            assert build(out, *arguments).exit_code == 0
            jsonschema.validate(manifest(out), SCHEMA, cls=jsonschema.Draft7Validator)

    def test_it_carries_the_partners_values(self, out, listing_file):
        assert build(out, "--from", listing_file).exit_code == 0
        made = manifest(out)
        assert made["name"] == "Acme Analytics"
        assert made["author"] == "Acme Ltd"
        assert made["supportEmail"] == "support@acme-analytics.com"
        assert made["categories"] == ["analytics"]
        assert made["links"] == {
            "site": "https://acme-analytics.com",
            "launchdarklyDocs": "https://acme-analytics.com/docs/launchdarkly",
            "privacyPolicy": "https://acme-analytics.com/privacy",
            "supportWebsite": "https://acme-analytics.com/support",
        }
        assert (out / "assets/images/square.svg").read_text() == SQUARE
        assert (out / "assets/images/horizontal.svg").read_text() == HORIZONTAL

    def test_no_word_of_the_connectors_own_listing_is_left_in_a_partners(self, out, listing_file):
        build(out, "--from", listing_file)
        assert not [name for name, content in written(out).items() if b"Metric Connector" in content]

    def test_the_readme_says_what_it_does_how_to_keep_it_and_links_the_documentation(self, out, listing_file):
        build(out, "--from", listing_file)
        readme = (out / "README.md").read_text()
        assert readme.startswith("# Acme Analytics\n")
        assert "<https://acme-analytics.com/docs/launchdarkly>" in readme
        for heading in ("## What it does", "## How to maintain it", "## How to test it"):
            assert heading in readme

    def test_the_customers_page_gives_the_policy_of_least_privilege(self):
        page = (REPOSITORY / "docs/customer/connect.md").read_text()
        [policy] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
        assert json.loads(policy) == json.loads(least_privilege_policy("my-project"))

    def test_options_win_over_the_file(self, out, listing_file):
        build(out, "--from", listing_file, "--name", "Acme Two", "--category", "data", "--category", "ai")
        assert manifest(out)["name"] == "Acme Two"
        assert manifest(out)["categories"] == ["data", "ai"]
        assert manifest(out)["author"] == "Acme Ltd"

    def test_the_name_stands_in_the_partners_own_texts(self, out):
        text = "{name} sends every event type to LaunchDarkly, where it becomes a metric."
        build(out, "--name", "Acme", "--description", text)
        assert manifest(out)["description"] == text.replace("{name}", "Acme")

    def test_building_again_changes_nothing(self, out, listing_file):
        build(out, "--from", listing_file)
        before = written(out)
        assert build(out, "--from", listing_file).exit_code == 0
        assert written(out) == before

    def test_it_says_where_the_directory_goes(self, out):
        assert "integrations/acme-analytics/ in a fork" in build(out, "--name", "Acme Analytics").stdout

    def test_prettier_agrees(self, out, listing_file):
        npx = shutil.which("npx")
        if npx is None:
            lacking("Install npx (Node.js) to check the submission with prettier.")
        longest = sorted(CATEGORIES, key=len)[-3:]
        odd = [*("--name", "- AT&T Büro & Söhne C#: 3) +1"), *(f"--category={each}" for each in longest)]
        odd += ["--docs=https://acme-analytics.com/_a_/*b*(c)?d=1&copy=2#~$name"]
        build(out, "--from", listing_file, *odd)
        paths = [directory / name for directory in (REPOSITORY / "integration", out) for name in FILES[::3]]
        # The settings of the framework's repository (.prettierrc), whatever lies around this one.
        options = ["--no-config", "--no-editorconfig", "--single-quote", "--trailing-comma=es5", "--arrow-parens=avoid"]
        judged = subprocess.run(
            [npx, "--yes", "prettier@2.2.1", *options, "--check", *paths], capture_output=True, text=True, check=False
        )
        if "Checking formatting" not in judged.stdout:
            lacking(f"Prettier could not be fetched: {judged.stderr[-200:]}")
        assert judged.returncode == 0, judged.stdout + judged.stderr


class TestBrokenRules:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (["--name", "Ac"], "name: it has 2 characters; give 3 to 100."),
            (["--name", "Acme Integration"], 'name: leave out the word "Integration"; everything on that page is one.'),
            (["--name", "LD Metrics"], 'name, description, details: write "LaunchDarkly" in place of "LD".'),
            (
                ["--name", "Acme  Two"],
                "name, description, details: write it on one line, with single spaces and none at the ends.",
            ),
            (
                ["--name", "Acme*"],
                "name: take out the signs that Markdown or HTML reads as its own: * _ ` ~ [ ] < > \\ | ; #.",
            ),
            (["--version", "1.0.0-alpha.100"], "version: it has 15 characters; give 5 to 14."),
            (["--overview", "Create metrics"], "overview: end it with a full stop."),
            (["--overview", f"Create {'x' * 93}."], "overview: it has 101 characters; give 10 to 100."),
            (["--description", "Short."], "description: it has 6 characters; give 50 to 2048."),
            (["--details", "One.\n" * 20], "details: write it on one line, with single spaces and none at the ends."),
            (["--author", "Me"], "author: it has 2 characters; give 3 to 100."),
            (["--support-email", "help"], "support_email: 'help' is no e-mail address; customers write to it."),
            (
                ["--privacy-policy", "https://launchdarkly.com/policies/privacy/"],
                "privacy_policy: this is LaunchDarkly's own; give yours.",
            ),
            (["--category", "analytics", "--category", "analytics"], "categories: give one to three, each once."),
            ([f"--category={each}" for each in CATEGORIES[:4]], "categories: give one to three, each once."),
            (
                ["--category", "metrics"],
                f"categories: 'metrics' is not on LaunchDarkly's list; take one of {', '.join(CATEGORIES)}.",
            ),
        ],
    )
    def test_each_is_one_sentence_that_says_what_to_do(self, out, options, sentence):
        result = build(out, *options)
        assert sentences(result) == [sentence]
        assert result.exit_code == 2

    @pytest.mark.parametrize("version", ["v1.0.0", "1.0.0-01", "01.0.0", "1.0.0.0", "1.0.0-", "1.0.٣"])
    def test_a_version_is_semantic(self, out, version):
        assert sentences(build(out, "--version", version)) == [
            f"version: {version!r} is no semantic version; write three numbers, such as 1.0.0, without a v."
        ]

    @pytest.mark.parametrize("version", ["10.20.30", "1.0.0-alpha.10", "1.0.0-0a+001"])
    def test_every_semantic_version_is_taken(self, out, version):
        assert build(out, "--version", version).exit_code == 0

    @pytest.mark.parametrize("overview", ["A tool for metrics.", "create metrics.", "Metric Connector makes metrics."])
    def test_an_overview_starts_with_a_verb(self, out, overview):
        assert sentences(build(out, "--overview", overview)) == [
            'overview: start it with a verb and a capital letter, such as "Create".'
        ]

    @pytest.mark.parametrize(
        "link",
        ["", "acme.com", "ftp://acme.com", "https://acme", "https://acme.com/a b", f"https://acme.com/{'x' * 2048}"],
    )
    def test_a_link_is_whole(self, out, link):
        assert sentences(build(out, "--support-website", link)) == [
            f"support_website: {link!r} is no link; give an http:// or https:// address of at most 2048 characters."
        ]

    def test_all_of_them_are_named_at_once_and_nothing_is_written(self, out):
        result = build(out, "--name", "Ac", "--overview", "Create", "--site", "acme")
        assert [line.partition(":")[0] for line in sentences(result)] == ["name", "overview", "overview", "site"]
        assert not out.exists()

    def test_a_directory_with_anything_else_in_it_is_left_alone(self, out):
        out.mkdir()
        for name in "abcde":
            (out / name).write_text("mine")
        result = build(out)
        assert result.exit_code == 2
        assert sentences(result) == [
            f"{out} holds what is no part of a submission: a, b, c and 2 more. Move it, or give another --out."
        ]
        assert written(out) == dict.fromkeys("abcde", b"mine")

    def test_a_directory_that_cannot_be_written_is_named(self, out):
        out.mkdir()
        (out / "manifest.json").mkdir()
        result = build(out)
        assert result.exit_code == 1
        assert sentences(result)[0].startswith(f"{out} cannot be written: ")

    @pytest.mark.parametrize(
        ("toml", "sentence"),
        [
            ('nam = "Acme"', "'nam' is not known; known are name, version, "),
            ("version = 1.0", 'write version as a text, such as version = "…".'),
            ('categories = "analytics"', 'write categories as a list of texts, such as ["analytics"].'),
            ("name = ", "cannot be read as TOML: "),
            ('square = "nowhere.svg"', "square: the logo cannot be read: "),
        ],
    )
    def test_a_file_that_states_something_else_is_refused(self, out, tmp_path, toml, sentence):
        file = tmp_path / "listing.toml"
        file.write_text(toml)
        result = build(out, "--from", file)
        assert result.exit_code == 2
        [said] = sentences(result)
        assert sentence in said


class TestLogos:
    @pytest.mark.parametrize(
        ("inside", "sentence"),
        [
            ('<image href="#a"/>', "take out <image>: draw the picture as vectors."),
            ("<script>1</script>", "take out <script>: a logo runs no code."),
            ('<path onload="f()"/>', "take out onload of <path>: a logo runs no code."),
            ("<text>Acme</text>", "take out <text>: convert the text to paths; who looks does not have the font."),
            (
                "<style>.a{}</style>",
                "take out <style>: export the styles as attributes; class names of a style sheet collide in a page.",
            ),
            ("<foreignObject/>", "take out <foreignObject>: a still vector logo does not need it."),
            ('<set attributeName="href"/>', "take out <set>: a still vector logo does not need it."),
            (
                '<html xmlns="http://www.w3.org/1999/xhtml"/>',
                "take out <html>, which is not of SVG: export the logo as plain SVG.",
            ),
            ("<?xml-stylesheet href='a.css'?>", "take out <?xml-stylesheet …?>: it can reach for other files."),
        ],
    )
    def test_what_is_no_still_vector_drawing_is_refused(self, inside, sentence):
        svg = SQUARE.replace("<path ", f"{inside}<path ")
        assert icons.broken_rules("square", svg.encode()) == [f"square: {sentence}"]

    @pytest.mark.parametrize("attribute", ["href", 'xmlns:x="http://www.w3.org/1999/xlink" x:href'])
    @pytest.mark.parametrize("target", ["https://acme.com/a.svg", "a.svg#b", "data:image/png;base64,AA==", ""])
    def test_a_link_to_another_file_is_refused(self, attribute, target):
        svg = SQUARE.replace("<path ", f'<use {attribute}="{target}"/><path ')
        assert icons.broken_rules("square", svg.encode()) == [
            "square: take out href of <use>: it may only refer to a part of the same file (#…)."
        ]

    @pytest.mark.parametrize(
        ("attribute", "value"),
        [
            ("xml:base", "a"),
            ("fill", "url(a.svg#b)"),
            ("fill", "url( 'a.svg' )"),
            ("fill", "URL(//acme.com)"),
            ("style", r"mask:u\72l(a)"),
            ("style", "mask:image-set('a')"),
        ],
    )
    def test_an_attribute_that_reaches_outside_is_refused(self, attribute, value):
        svg = SQUARE.replace("<path ", f'<g {attribute}="{value}"/><path ')
        assert icons.broken_rules("square", svg.encode()) == [
            f"square: take out {attribute.removeprefix('xml:')} of <g>: it reaches for something outside of the file."
        ]

    def test_references_inside_the_file_are_fine(self):
        inside = '<g id="a"/><use href="#a"/><path fill="url(#a)" stroke="url( \'#a\' )"/>'
        svg = SQUARE.replace("<path ", f"{inside}<path ")
        assert icons.broken_rules("square", svg.encode()) == []

    @pytest.mark.parametrize(
        "svg",
        [
            b"\x89PNG\r\n\x1a\n",
            b"",
            b"<svg/>",
            b"<html/>",
            b'<svg xmlns="http://www.w3.org/2000/svg">',
            b'<?xml version="1.0" encoding="shift_jis"?><svg/>',
            b'<?xml version="1.0" encoding="none-such"?><svg/>',
            b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>',
        ],
    )
    def test_what_is_no_svg_is_refused(self, svg):
        [sentence] = icons.broken_rules("square", svg)
        assert sentence.startswith("square: this is no SVG file")

    def test_a_huge_file_is_refused(self):
        svg = SQUARE.replace("M0", " " * 512_000 + "M0").encode()
        assert icons.broken_rules("square", svg) == [
            f"square: the file has {len(svg)} bytes; a vector logo needs fewer than 512000."
        ]

    @pytest.mark.parametrize("view_box", ["", "0 0 10", "0 0 ten ten", "0 0 0 0", "0 0 nan nan", "0 0 inf inf"])
    def test_a_logo_without_proportions_is_refused(self, view_box):
        [sentence] = icons.broken_rules("square", SQUARE.replace("0 0 10 10", view_box).encode())
        assert sentence == (
            "square: the svg element needs a viewBox of four numbers that closely fits the drawing, "
            'such as "0 0 40 40".'
        )

    def test_each_has_its_own_proportions(self):
        assert icons.broken_rules("square", HORIZONTAL.encode()) == [
            "square: the viewBox is 30 wide and 10 high; make it a square."
        ]
        assert icons.broken_rules("horizontal", SQUARE.encode()) == [
            "horizontal: the viewBox is 10 wide and 10 high; make it wider than high."
        ]


class TestCheck:
    def test_what_build_wrote_with_a_partners_values_can_be_submitted(self, out, listing_file):
        build(out, "--from", listing_file)
        result = build(out, "--from", listing_file, "--check")
        assert result.exit_code == 0
        assert result.stdout == f"{out} is up to date and can be submitted.\n"

    def test_domains_for_examples_cannot(self, out):
        build(out)
        result = build(out, "--check")
        assert result.exit_code == 1
        assert sentences(result) == [
            f"{field}: metric-connector.example is a domain for examples, and reviewers reject placeholders; "
            "run build with your own."
            for field in ("support_email", "site", "privacy_policy", "docs")
        ]

    @pytest.mark.parametrize("host", ["example.com", "www.Example.ORG", "acme.test", "acme.invalid", "a.localhost"])
    def test_every_reserved_domain_is_one(self, out, listing_file, host):
        arguments = ["--from", listing_file, "--site", f"https://{host}/a"]
        build(out, *arguments)
        [sentence] = sentences(build(out, *arguments, "--check"))
        assert sentence.startswith(f"site: {host.lower()} is a domain for examples")

    def test_a_partner_with_the_connectors_own_logo_cannot(self, out, listing_file):
        own = submission.listing()
        (listing_file.parent / "acme-square.svg").write_bytes(own.square)
        build(out, "--from", listing_file)
        assert sentences(build(out, "--from", listing_file, "--check")) == [
            "square: this is Metric Connector's own; give the one of Acme Analytics."
        ]

    def test_it_names_what_is_missing_changed_or_astray_and_writes_nothing(self, out, listing_file):
        build(out, "--from", listing_file)
        (out / "README.md").unlink()
        (out / "manifest.json").write_text("{}")
        (out / "assets/logo.png").write_bytes(b"")
        before = written(out)
        result = build(out, "--from", listing_file, "--check")
        assert result.exit_code == 1
        assert sentences(result) == [
            f"{out} holds what is no part of a submission: assets/logo.png. Move it, or give another --out.",
            f"{out / 'manifest.json'} is not what build makes; run build without --check.",
            f"{out / 'README.md'} is missing; run build without --check.",
        ]
        assert written(out) == before
