/* What the page shows: parts of it made from what the server told. Text goes in as text; the only
   markup that goes in is what the server cleaned (fields called html, notes, model). */

export const $ = id => document.getElementById(id);

/** An element with attributes, properties (of handlers: `onclick`) and children. */
export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A block of markup that the server cleaned; its links open elsewhere and tell nothing. */
export function cleaned(markup, given = {}) {
  return withSafeLinks(make("div", { innerHTML: markup, ...given }));
}

export function withSafeLinks(element) {
  for (const link of element.querySelectorAll("a[href]:not([href^='#'])")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  return element;
}

export const points = number => String(Math.round(number * 100) / 100);
export const signed = number => (number > 0 ? "+" : "") + points(number).replace("-", "−");
export const count = (number, one, more) => `${number} ${number === 1 ? one : more}`;

export function showProgress({ read, total, seconds, others }) {
  $("progress").max = Math.max(total, 1);
  $("progress").value = read;
  const minutes = Math.ceil(seconds / 60);
  const left = seconds === null || read === total ? ""
    : `, about ${count(minutes, "minute", "minutes")} left`;
  const theirs = others ? `; ${others} wait for others` : "";
  $("progress-words").textContent = `${read} of ${total}${left}${theirs}`;
}

export function showRubric(view, changed) {
  const box = $("items");
  box.replaceChildren(make("legend", {}, "Rubric"));
  if (view.notes) box.append(cleaned(view.notes, { id: "notes" }));
  view.items.forEach((item, place) => {
    const key = place < 10 ? make("kbd", { "aria-hidden": "true" }, String((place + 1) % 10)) : make("span");
    const words = cleaned(item.html);
    words.id = `item-words-${item.id}`;
    const check = make("input", {
      type: "checkbox", value: item.id, "aria-labelledby": `worth-${item.id} item-words-${item.id}`, onchange: changed,
    });
    const worth = make("span", { className: "worth", id: `worth-${item.id}` }, signed(item.points));
    box.append(make("label", { className: "item" }, check, key, worth, words));
    if (item.notes) box.append(cleaned(item.notes, { className: "note" }));
  });
  if (!view.items.length) {
    const field = make("input", { type: "number", id: "by-hand", min: 0, max: view.points, step: "any", oninput: changed });
    box.append(make("label", { htmlFor: "by-hand" }, `Points, of ${points(view.points)} `), field,
      make("p", {}, "The rubric in source/ has no items. Add lines like `* 1: says …`."));
  }
  $("model").replaceChildren(cleaned(view.model));
  $("model-box").hidden = !view.model;
  $("graders").replaceChildren(...view.graders.map(name => make("option", { value: name })));
}

export function showRemarks(remarks, use) {
  $("remarks-box").hidden = !remarks.length;
  $("remarks").replaceChildren(...remarks.map((remark, place) => make("li", {},
    make("button", { type: "button", onclick: () => use(remark), "aria-keyshortcuts": `Shift+${place + 1}` },
      make("kbd", { "aria-hidden": "true" }, `⇧${place + 1}`), ` ${remark}`))));
}

function reading(one, items, use) {
  const words = one.texts.length ? `: ${one.texts.join("; ")}` : "";
  const line = make("li", {}, `${one.grader}, ${points(one.points)} points${words}`);
  if (one.remark) line.append(make("br"), `“${one.remark}”`);
  if (use) line.append(" ", make("button", { type: "button", onclick: () => use(one) }, "Use this one"));
  return line;
}

/** What a reader should know before saving. */
export function showNotices(answer, use) {
  const box = $("notices");
  box.replaceChildren();
  const notice = (...parts) => box.append(make("div", { className: "notice" }, ...parts));
  if (answer.open_elsewhere) {
    notice(make("p", {}, `${answer.open_elsewhere} has this answer open now. Both of you can save: nothing is lost.`));
  }
  if (answer.formgrader) {
    const remark = answer.formgrader.remark ? ` and the remark “${answer.formgrader.remark}”` : "";
    notice(make("p", {}, `Given in Formgrader: ${points(answer.formgrader.points)} points${remark}. Saving replaces them.`));
    if (answer.given) notice(make("p", {}, "Given here before:"), make("ul", {}, reading(answer.given, null, use)));
  }
  if (answer.before) {
    notice(make("p", {}, "The answer has changed since it was read. What it said then, and what was given:"),
      make("ul", {}, reading(answer.before, null, use)),
      make("details", {}, make("summary", {}, "What it said then"), cleaned(answer.before.html, { className: "text" })));
  }
  if (answer.beside.length) {
    notice(make("p", {}, `${answer.given ? "This counts" : "Formgrader's points count"}:`),
      make("ul", {}, ...(answer.given ? [reading(answer.given)] : [])),
      make("p", {}, "Saved by somebody who had not seen it, kept beside it:"),
      make("ul", {}, ...answer.beside.map(one => reading(one, null, use))));
  }
  if (answer.second) notice(make("p", {}, "You are the second reader of this one, so what the first gave is hidden."));
}

export function showMembers(members, chosen, { changed, open, message }) {
  $("members").replaceChildren(...members.map(member => make("li", {},
    make("label", {}, make("input", {
      type: "checkbox", value: member.key, checked: chosen.has(member.key), onchange: changed,
    }), ` ${member.pseudonym}: ${member.excerpt}`),
    make("button", { type: "button", className: "plain", onclick: () => open(member.key), "aria-label": `Open ${member.pseudonym}` }, "open"))));
  if (message) $("members").append(make("li", {}, message));
}

export function showChange(change, confirm) {
  const box = $("change");
  box.hidden = !change;
  if (!change) return;
  const said = part => (part ? `${signed(part[0])} ${part[1]}` : "nothing");
  const rows = change.effects.map(effect => make("tr", {},
    make("td", {}, effect.pseudonym), make("td", {}, points(effect.before)),
    make("td", {}, effect.held ? points(effect.before) : points(effect.after)),
    make("td", {}, effect.held ? `stays: it ${effect.held}` : signed(effect.after - effect.before))));
  box.replaceChildren(
    make("h2", { id: "change-title" }, "The rubric in source/ has changed since answers were read with it"),
    make("ul", {}, ...change.items.map(item => make("li", {}, `${said(item.before)} → ${said(item.after)}`))),
    change.effects.length
      ? make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Who gains or loses" }, make("table", {},
        make("thead", {}, make("tr", {}, ...["Answer", "Has", "Would have", "Change"].map(head => make("th", { scope: "col" }, head)))),
        make("tbody", {}, ...rows)))
      : make("p", {}, "Nobody gains or loses."),
    make("p", {}, make("button", { type: "button", className: "main", id: "confirm-change", onclick: confirm },
      change.effects.length ? `Use the new rubric: ${count(change.effects.length, "answer changes", "answers change")}` : "Use the new rubric"),
      " Until then, the old one applies."));
}

const MOST_ROWS = 500;

export function showList(answers, open) {
  const which = $("which").value, words = $("words").value.toLowerCase();
  const shown = answers.filter(one => (which === "all" || one.waits === (which === "waits"))
    && `${one.pseudonym} ${one.excerpt} ${one.read_by ?? ""}`.toLowerCase().includes(words));
  $("rows").replaceChildren(...shown.slice(0, MOST_ROWS).map(one => make("tr", {},
    make("td", {}, make("button", { type: "button", className: "plain", onclick: () => open(one.key) }, one.pseudonym)),
    make("td", {}, one.waits ? "unread" : one.points === null ? "read" : points(one.points)),
    make("td", {}, one.read_by ?? (one.dealt_to ? `(for ${one.dealt_to})` : one.waits || one.points === null ? "" : "Formgrader")),
    make("td", {}, one.excerpt))));
  const more = shown.length > MOST_ROWS ? ` The first ${MOST_ROWS} are listed: type words to narrow it down.` : "";
  $("more-rows").textContent = `${count(shown.length, "answer", "answers")}.${more}`;
}
