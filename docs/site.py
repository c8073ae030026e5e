"""For mkdocs: README.md and SECURITY.md lie above docs/, where people look for them; the site has
the one as its first page and the other as a page. Nothing comes from another host, and the search
has a name for those who hear the page."""

from pathlib import Path

from mkdocs.structure.files import File

SHIM = "https://unpkg.com/iframe-worker/shim"
SEARCH = '<div class="md-search" data-md-component="search" role="dialog"'


def on_files(files, *, config):
    files.remove(files.src_uris["index.md"])  # the same as a list: the site has a menu
    top = Path(config.config_file_path).parent
    for name, source in (("index.md", "README.md"), ("security.md", "SECURITY.md")):
        files.append(File.generated(config, name, abs_src_path=str(top / source)))
    return files


def on_page_markdown(markdown, *, page, **_):
    if page.file.src_uri == "index.md":
        markdown = markdown.replace("](docs/", "](")
    for link in ("](../SECURITY.md", "](SECURITY.md"):
        markdown = markdown.replace(link, "](security.md")
    return markdown


def on_post_page(output, **_):
    output = output.replace(SHIM, "search_from_files.js")
    return output.replace(SEARCH, f'{SEARCH} aria-label="Search"')


def on_post_template(output_content, **_):  # of the page that is not found
    return on_post_page(output_content)
