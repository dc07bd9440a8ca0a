"""A page as a reader has it: elements and text."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """What a browser would make of a page: its elements and all text in order."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data
