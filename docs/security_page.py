"""For mkdocs: SECURITY.md lies above docs/, where people look for it; the site has it as a page."""

from pathlib import Path

from mkdocs.structure.files import File


def on_files(files, *, config):
    page = Path(config.config_file_path).with_name("SECURITY.md")
    files.append(File.generated(config, "security.md", abs_src_path=str(page)))
    return files


def on_page_markdown(markdown, **_):
    return markdown.replace("](../SECURITY.md", "](security.md")
