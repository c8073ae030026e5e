/* The page for reading written answers: what is asked of the server, and keys. */

import { api, ask } from "./ask.js";
import {
  $, cleaned, count, make, points, showChange, showList, showMembers, showNotices, showProgress, showRemarks,
  showRubric, withSafeLinks,
} from "./view.js";

let view = null; // the exercise
let answer = null; // the one that is shown
let members = []; // that may get the same, and what the page knows of them
let chosen = new Map(); // key to version: those that will get the same
let busy = false;
let warned = null; // the key of the answer about which was asked whether no item is meant
let spent = 0; // seconds that this answer was in sight
let since = null;

/** One thing at a time, and what went wrong is told. */
async function doing(work) {
  if (busy) return;
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    $("problem").textContent = "";
    await work();
  } catch (error) {
    $("problem").textContent = error.message;
  } finally {
    busy = false;
    document.body.removeAttribute("aria-busy");
  }
}

const say = words => { $("status").textContent = words; };

async function open(key = "") {
  let told = await ask("open", { key });
  while (told.taking_in !== undefined) {
    say(`Reading the answers of ${told.of} notebooks: ${told.taking_in} to go …`);
    told = await ask("open", { key });
  }
  view = told;
  showRubric(view, changed);
  showChange(view.change, () => doing(confirmChange));
  showStanding(view);
  show(view.answer);
}

function showStanding(told) {
  showProgress(told.progress);
  showRemarks(told.remarks, useRemark);
  view.remarks = told.remarks;
}

async function confirmChange() {
  const { changed: number } = await ask("change", { digest: view.digest }, true);
  await open(answer?.key);
  say(`The new rubric applies: ${count(number, "answer has", "answers have")} different points.`);
}

// An answer

function show(next) {
  answer = next;
  $("form").hidden = $("name").hidden = $("above").hidden = answer === null;
  $("context").hidden = true;
  $("above").setAttribute("aria-expanded", "false");
  $("notices").replaceChildren();
  $("state").textContent = "";
  if (answer === null) {
    $("title").textContent = "Nothing left for you to read";
    $("text").replaceChildren(make("p", {}, "All your answers are read. “All answers” lists them, and opens any of them again."));
    $("rest").hidden = true;
    $("title").focus();
    return;
  }
  $("title").textContent = `Answer ${answer.pseudonym}`;
  $("name").hidden = false;
  $("state").textContent = `${answer.number} of ${answer.of}, ${standing()}`;
  $("text").replaceChildren(cleaned(answer.html));
  $("rest").hidden = !answer.cut;
  $("whole").textContent = `Show all ${answer.characters.toLocaleString("en")} characters`;
  $("withdraw").hidden = answer.waits || answer.second || !answer.given;
  showNotices(answer, use);
  use(kept() ?? answer);
  offer(answer.equal, answer.waits);
  warned = null;
  spent = 0;
  since = document.hidden ? null : performance.now();
  window.scrollTo(0, 0);
  $("title").focus({ preventScroll: true });
}

function standing() {
  if (answer.waits) return answer.before ? "unread again" : "unread";
  if (answer.second) return "read by you";
  return `read by ${answer.formgrader ? "somebody in Formgrader" : answer.given?.grader ?? "somebody"}`;
}

/** Fill the form in with a reading. */
function use(reading) {
  for (const check of checks()) check.checked = reading.items.includes(Number(check.value));
  if ($("by-hand")) $("by-hand").value = reading.points ?? "";
  $("remark").value = reading.remark;
  showPoints();
}

const checks = () => [...document.querySelectorAll("#items input[type=checkbox]")];
const given = () => checks().filter(check => check.checked).map(check => Number(check.value));

function total() {
  if ($("by-hand")) return $("by-hand").value === "" ? null : Number($("by-hand").value);
  const worth = new Map(view.items.map(item => [item.id, item.points]));
  const start = view.items.some(item => item.points > 0) ? 0 : view.points;
  const sum = given().reduce((all, id) => all + worth.get(id), start);
  return Math.min(Math.max(sum, 0), view.points);
}

function showPoints() {
  const sum = total();
  $("points").textContent = sum === null ? `of ${points(view.points)} points` : `${points(sum)} of ${points(view.points)} points`;
}

function changed() {
  showPoints();
  keep();
}

// What was entered and not saved outlives a reload and a server that is gone.

const place = () => `proctor ${api} ${answer.key}`;

function keep() {
  const entered = { version: answer.version, items: given(), remark: $("remark").value, points: total() };
  sessionStorage.setItem(place(), JSON.stringify(entered));
}

function kept() {
  const entered = JSON.parse(sessionStorage.getItem(place()) ?? "null");
  return entered?.version === answer.version ? entered : null;
}

const seconds = () => spent + (since === null ? 0 : (performance.now() - since) / 1000);

document.addEventListener("visibilitychange", () => {
  spent = seconds();
  since = document.hidden ? null : performance.now();
});

// Saving

async function save() {
  if (answer === null) return;
  if (total() === null) throw new Error(`Give points from 0 to ${points(view.points)} first.`);
  if (view.items.length && !given().length && answer.waits && warned !== answer.key) {
    warned = answer.key;
    say(`No item is given. Press Enter again to save ${points(total())} of ${points(view.points)} points.`);
    return;
  }
  const others = chosen.size, old = answer;
  const told = await ask("save", {
    key: answer.key, version: answer.version, items: given(), remark: $("remark").value, points: total(),
    seconds: seconds(), also: Object.fromEntries(chosen),
  }, true);
  sessionStorage.removeItem(place());
  showStanding(told);
  show(told.answer);
  if (told.saved.state === "beside") {
    $("problem").textContent = "This answer changed while you read it, so your reading is kept beside it. Look at both.";
    return;
  }
  const same = others ? `, and ${count(told.saved.stored.length - 1, "other", "others")} with it` : "";
  const left = told.saved.left.length
    ? ` ${count(told.saved.left.length, "other was", "others were")} changed meanwhile and left alone.` : "";
  say(`Saved ${old.pseudonym}${same}.${left} ${$("progress-words").textContent}.`);
}

async function withdraw() {
  const told = await ask("withdraw", { key: answer.key, version: answer.version }, true);
  showStanding(told);
  show(told.answer);
  say(told.saved.state === "withdrawn" ? "Taken back: the answer is unread again." : "It has changed in the meantime: look again.");
}

async function pass(to) {
  const told = await ask("pass", { key: answer.key, to }, true);
  const passed = answer.pseudonym;
  showStanding(told);
  show(told.answer);
  say(`${passed} is for ${to} now.`);
}

async function move(step) {
  const told = await ask("answer", { key: answer?.key ?? "", step });
  if (told.answer === null) say(step > 0 ? "This is the last one." : "This is the first one.");
  else show(told.answer);
}

async function skip() {
  const told = await ask("next", { key: answer?.key ?? "" });
  if (told.answer === null && answer?.waits) say("There are no other answers for you to read.");
  else show(told.answer);
}

// The same for others

function offer(found, all, message) {
  members = found;
  chosen = new Map(all ? members.map(member => [member.key, member.version]) : []);
  showMembers(members, chosen, { changed: choose, open: key => doing(() => open(key)), message });
  const title = members.length ? `${count(members.length, "answer says", "answers say")} the same` : "The same for others";
  $("group-title").textContent = title;
  $("group").hidden = answer.second;
  showSaving();
}

function choose({ target }) {
  const member = members.find(one => one.key === target.value);
  if (target.checked) chosen.set(member.key, member.version);
  else chosen.delete(member.key);
  showSaving();
}

function showSaving() {
  $("save-words").textContent = chosen.size ? `Apply to these ${chosen.size + 1}, next` : "Save, next";
}

/** Others can be read while this is worked out. */
async function find() {
  const { key } = answer;
  say("Comparing the answers …");
  const told = await ask("alike", { key, alike: $("alike").value / 100 });
  say("");
  if (answer?.key !== key) return;
  offer(told.members, false, told.message);
  for (const one of answer.equal) chosen.set(one.key, one.version);
  showMembers(members, chosen, { changed: choose, open: key => doing(() => open(key)), message: told.message });
  $("group-title").textContent = told.members.length
    ? `${count(told.members.length, "answer is", "answers are")} like this: choose which get the same` : "No other unread answer is like this";
  if (told.members.length) {
    const all = make("button", { type: "button", onclick: () => {
      for (const member of members) chosen.set(member.key, member.version);
      showMembers(members, chosen, { changed: choose, open: key => doing(() => open(key)) });
      showSaving();
      $("save").focus();
    } }, `Choose all ${told.members.length}`);
    $("members").prepend(make("li", {}, all));
    all.focus();
  }
  showSaving();
}

// On demand

async function above(all = false) {
  if (!$("context").hidden && !all) {
    $("context").hidden = true;
    $("above").setAttribute("aria-expanded", "false");
    return;
  }
  const told = await ask("above", { key: answer.key, all: all ? "1" : "" });
  const more = make("button", { type: "button", onclick: () => doing(() => above(true)) }, "Show all cells above");
  $("context").replaceChildren(...(all ? [] : [make("p", {}, more)]), withSafeLinks(cleaned(told.html)));
  $("context").hidden = false;
  $("context").scrollTop = $("context").scrollHeight;
  $("above").setAttribute("aria-expanded", "true");
}

async function name() {
  const told = await ask("who", { key: answer.key }, true);
  $("title").textContent = `Answer ${answer.pseudonym}: ${told.student}${told.name ? ` (${told.name})` : ""}`;
  $("name").hidden = true;
}

async function whole() {
  const told = await ask("answer", { key: answer.key, whole: "1" });
  $("text").replaceChildren(cleaned(told.answer.html));
  $("rest").hidden = true;
}

async function list() {
  const told = await ask("list", {});
  const go = key => {
    $("list-dialog").close();
    doing(() => open(key));
  };
  const draw = () => showList(told.answers, go);
  $("which").onchange = $("words").oninput = draw;
  draw();
  $("list-dialog").showModal();
}

function useRemark(remark) {
  const field = $("remark");
  if (!field.value.includes(remark)) field.value = field.value ? `${field.value}\n${remark}` : remark;
  changed();
}

// Keys and buttons

const work = {
  skip, name, whole, list, withdraw,
  above: () => above(),
  back: () => move(-1),
  forth: () => move(1),
  save,
};
const buttons = { skip: "skip", name: "name", whole: "whole", "open-list": "list", withdraw: "withdraw", above: "above", back: "back", forth: "forth" };
for (const [id, what] of Object.entries(buttons)) $(id).addEventListener("click", () => doing(work[what]));
const finding = () => answer && find().catch(error => { $("problem").textContent = error.message; });
$("find").addEventListener("click", finding);
$("form").addEventListener("submit", event => {
  event.preventDefault();
  doing(save);
});
$("remark").addEventListener("input", changed);
$("alike").addEventListener("input", () => { $("alike-words").textContent = `${$("alike").value} %`; });
$("open-keys").addEventListener("click", () => $("keys").showModal());
$("pass").addEventListener("click", () => $("pass-dialog").showModal());
$("pass-dialog").addEventListener("close", () => {
  if ($("pass-dialog").returnValue === "pass") doing(() => pass($("to").value));
  $("pass-dialog").returnValue = $("to").value = "";
});
$("me")?.addEventListener("click", () => $("me-dialog").showModal());
$("me-dialog").addEventListener("close", () => {
  if ($("me-dialog").returnValue === "me") location.search = new URLSearchParams({ as: $("me-name").value });
});

const single = $("single-keys");
single.checked = localStorage.getItem("proctor single keys") !== "off";
const tellSingle = () => document.body.classList.toggle("no-single-keys", !single.checked);
single.addEventListener("change", () => {
  localStorage.setItem("proctor single keys", single.checked ? "on" : "off");
  tellSingle();
});
tellSingle();

const letters = { j: "forth", k: "back", s: "skip", u: "above", n: "name", l: "list" };

document.addEventListener("keydown", event => {
  if (event.isComposing || event.repeat || document.querySelector("dialog[open]")) return;
  const field = event.target.closest("textarea, select, input:not([type=checkbox]):not([type=range])");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return act(event, () => doing(save));
  if (field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter") {
    if (!event.target.closest("button, a, summary")) act(event, () => doing(save));
    return;
  }
  if (!single.checked) return;
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1];
  if (digit && event.shiftKey && event.code.startsWith("Digit")) {
    const remark = view?.remarks[Number(digit) - 1];
    if (remark) act(event, () => useRemark(remark));
  } else if (digit) {
    const check = checks()[(Number(digit) + 9) % 10];
    if (busy) return; // it would be for an answer that is on its way out
    if (check && answer) act(event, () => {
      check.checked = !check.checked;
      changed();
    });
    else if ($("by-hand") && answer) $("by-hand").focus();
  } else if (event.key === "?") act(event, () => $("keys").showModal());
  else if (event.key === "c" && answer) act(event, () => $("remark").focus());
  else if (event.key === "g" && answer) act(event, finding);
  else if (event.key === "p" && answer) act(event, () => $("pass-dialog").showModal());
  else if (letters[event.key] && (answer || "jkl".includes(event.key))) act(event, () => doing(work[letters[event.key]]));
});

function act(event, then) {
  event.preventDefault();
  then();
}

// Others see for some minutes that an answer is open; longer, as long as it is in sight.
setInterval(() => {
  if (answer && !document.hidden) ask("keep", { key: answer.key }, true).catch(() => {});
}, 120_000);

doing(() => open());
