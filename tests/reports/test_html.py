"""A page says every text as it is, whatever it holds, and has no place that nothing fills."""

import json
from html.parser import HTMLParser

import pytest

from scaling.reports import html

HOSTILE = '</script><script>alert("&\'")</script>{{ title }}{% raw %} &amp; <b>'
TEMPLATE = """{% extends "page.html" %}
{% from "parts.html" import heads, lines, messages %}
{% block sections %}
<table><tr>{{ heads(columns) }}</tr>{{ lines(cells) }}</table>{{ messages(found) }}
{% endblock %}
"""


class Elements(HTMLParser):
    """Collects the names of a page's elements, its texts, and the values of its attributes."""

    def __init__(self, text):
        super().__init__()
        self.names, self.texts, self.values = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data):
        self.texts.append(data)


def page(tmp_path, text):
    """A page that shows one text in every place there is."""
    (tmp_path / "x.html").write_text(TEMPLATE)
    cells = [html.text_cell(text), html.text_cell(text, code=True), html.number_cell(None, text)]
    parts = {
        "columns": html.heads([text, "left"], ["left"]),
        "cells": [[*cells, html.number_cell(2.5, text), html.status_cell(text)]],
        "found": [html.Message(text, text, text, text)],
    }
    data = {"z": text, "a": [text]}
    return Elements(
        html.document(tmp_path / "x.html", html.Heading(text, text, text), [(text, text)], parts, data)
    )


def test_no_text_becomes_markup_or_template(tmp_path):
    hostile, plain = page(tmp_path, HOSTILE), page(tmp_path, "plain")
    assert hostile.names == plain.names and hostile.names.count("script") == 3
    shown = [[text.strip() for text in found.texts] for found in (hostile, plain)]
    assert shown[0].count(HOSTILE) == shown[1].count("plain") == 14
    assert f"{HOSTILE} · {HOSTILE}" in shown[0]


def test_data_arrives_in_its_order(tmp_path):
    found = page(tmp_path, HOSTILE)
    (data,) = [json.loads(text) for text in found.texts if text.startswith('{"z"')]
    assert data == {"z": HOSTILE, "a": [HOSTILE]} and list(data) == ["z", "a"]


def test_numbers_are_sorted_by_their_value(tmp_path):
    assert {"", "2.5"} <= set(page(tmp_path, "x").values)


def test_a_place_that_nothing_fills_is_an_error(tmp_path):
    (tmp_path / "x.html").write_text('{% extends "page.html" %}{% block sections %}{{ typo }}{% endblock %}')
    with pytest.raises(Exception, match="'typo' is undefined"):
        html.document(tmp_path / "x.html", html.Heading("", "", ""), [], {}, {})
