// The rating session: gray, clip to its end, one page of scales, next. The server decides where the
// subject is; this page only shows it, so a reload, a second tab and a lost connection find back.
"use strict";

const setup = JSON.parse(document.getElementById("setup").textContent);
const view = document.getElementById("view");
const screenBox = document.getElementById("screen");
const video = document.getElementById("video");
const notice = document.getElementById("notice");
const CHIP_KEYS = "qwertyuio";
const RETRY_SECONDS = [1, 2, 4, 8, 15];

let state = setup.state;
let ratedSince = 0;   // when the rating page opened, for the clock
let timer = 0;

const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

// --- talking to the server ---

class Refused extends Error {}

async function ask(path, message) {
  const options = message === undefined ? {} :
    { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(message) };
  const reply = await fetch(setup.base + path, { cache: "no-store", ...options });
  if (reply.status >= 500) throw new Error(`the server answers ${reply.status}`);
  const values = await reply.json();
  if (!reply.ok) throw new Refused(values.error || "the server refuses this");
  return values;
}

// Sends until it arrives: what a subject has decided is never lost by a broken line.
async function deliver(path, message) {
  for (let attempt = 0; ; attempt++) {
    try {
      const values = await ask(path, message);
      notice.textContent = "";
      return values;
    } catch (error) {
      if (error instanceof Refused) throw error;
      notice.textContent = "No connection. Your answers are kept here; trying again …";
      await wait(RETRY_SECONDS[Math.min(attempt, RETRY_SECONDS.length - 1)]);
    }
  }
}

// --- small pieces of page ---

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function show(...nodes) {
  clearInterval(timer);
  view.replaceChildren(...nodes);
  screenBox.hidden = true;
  showProgress();
}

function showProgress() {
  const { done, total } = state.progress;
  document.getElementById("progress").value = total ? done / total : 1;
  document.getElementById("place").textContent =
    state.clip && state.clip.is_training ? "Practice" : `${state.subject} · ${done} of ${total} clips`;
}

function message(heading, text, label, action) {
  const title = element("h1", { textContent: heading, tabIndex: -1 });
  const box = element("section", { className: "message" }, title);
  for (const line of [].concat(text)) box.append(typeof line === "string" ? element("p", { textContent: line }) : line);
  if (label) {
    const button = element("button", { textContent: label, id: "go" });
    button.addEventListener("click", action);
    box.append(element("p", { className: "actions" }, button));
    show(box);
    button.focus();
  } else {
    show(box);
    title.focus();  // so that a screen reader says where we are
  }
  return box;
}

// --- where we are ---

function resume() {
  if (state.stage === "rating") {
    if (state.clip.can_rate) return showBallot();
    return message(state.clip.is_training ? "Practice" : "Ready?",
      state.clip.is_training ? "The first clips are for practice. After each rating you see what others would say." :
        "The screen turns gray, then the clip plays to its end.",
      "Play (Space)", playFullScreen);
  }
  if (state.stage === "break") return showBreak();
  if (state.stage === "done") {
    if (document.fullscreenElement) document.exitFullscreen();
    const box = message("That was all. Thank you!", ["All your ratings have arrived. You can close this window now.",
      ...(setup.contact ? [`Questions, or a wish to have your answers deleted: ${setup.contact}`] : [])]);
    return offerUndo(box, "Rate the last clip again (Z)");
  }
  location.assign(setup.base);
}

async function refresh(text = "") {
  state = await deliver("/state");
  notice.textContent = text;
  resume();
}

function showBreak() {
  const clock = element("p", { className: "clock", role: "timer" });
  offerUndo(message("Time for a break", ["Stand up, look into the distance, rest your eyes. You can go on in", clock]),
    "Rate the previous clip again (Z)");
  const end = performance.now() + state.seconds_left * 1000;
  const tick = () => {
    const left = Math.max(Math.ceil((end - performance.now()) / 1000), 0);
    clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    if (left === 0) { clearInterval(timer); refresh(); }
  };
  tick();
  timer = setInterval(tick, 500);
}

function offerUndo(box, label) {
  if (!state.can_undo) return;
  const undo = element("button", { type: "button", className: "plain", id: "undo", textContent: label });
  undo.addEventListener("click", undoLast);
  box.append(element("p", { className: "actions" }, undo));
}

// --- playing ---

async function playFullScreen() {
  if (!document.fullscreenElement && document.documentElement.requestFullscreen) {
    await document.documentElement.requestFullscreen({ navigationUI: "hide" }).catch(() => {});
  }
  await play();
}

async function play() {
  const { position, width, height } = state.clip;
  clearInterval(timer);
  view.replaceChildren();
  screenBox.classList.remove("playing");
  screenBox.hidden = false;
  try {
    const [source] = await Promise.all([loadClip(position), wait(setup.rules.gray_seconds)]);
    // One pixel of the clip is one pixel of the screen, unless the screen is too small.
    video.style.width = `${width / devicePixelRatio}px`;
    video.style.height = `${height / devicePixelRatio}px`;
    video.style.objectFit = "contain";
    const key = newKey();
    await deliver("/play", { position, key });
    await playToEnd(source);
    state = await deliver("/played", { position, key });
    URL.revokeObjectURL(source);
    showBallot();
  } catch (error) {
    if (error instanceof Refused) return refresh(error.message);
    message("The clip did not play to its end", error.message, "Play from the start (Space)", playFullScreen);
  } finally {
    screenBox.classList.remove("playing");
  }
}

// The whole clip is loaded first, so that the network never makes it stutter.
async function loadClip(position) {
  const reply = await fetch(`${setup.base}/clip/${position}`, { cache: "no-store" });
  if (!reply.ok) throw new Refused("this clip is not the next one any more");
  return URL.createObjectURL(await reply.blob());
}

function playToEnd(source) {
  return new Promise((resolve, reject) => {
    const finish = (settle, value) => {
      video.onended = video.onerror = video.onplaying = video.onpause = null;
      document.removeEventListener("visibilitychange", hide);
      settle(value);
    };
    const hide = () => { if (document.hidden) { video.onpause = null; video.pause(); finish(reject, new Error("The window was hidden while it played.")); } };
    document.addEventListener("visibilitychange", hide);
    video.onplaying = () => screenBox.classList.add("playing");
    video.onpause = () => { if (!video.ended) video.play(); };
    video.onended = () => finish(resolve);
    video.onerror = () => finish(reject, new Error("This browser cannot play the file. Please tell the experimenter."));
    video.src = source;
    video.play().catch((error) => finish(reject, error));
  });
}

// --- rating ---

const draftName = () => `finevq:${setup.base}:${state.clip.position}`;

function loadDraft() {
  try {
    const draft = JSON.parse(localStorage.getItem(draftName()));
    if (draft && draft.submission) return draft;
  } catch { /* a damaged draft is no draft */ }
  return { submission: newKey(), ratings: {}, attributes: {}, other: {} };
}

let draft = null;
let active = 0;
let isSending = false;

function saveDraft() {
  try { localStorage.setItem(draftName(), JSON.stringify(draft)); } catch { /* private mode */ }
}

function showBallot() {
  draft = loadDraft();
  active = 0;
  isSending = false;
  const form = element("form", { className: "ballot", noValidate: true });
  form.setAttribute("aria-label", "Your rating");
  setup.scales.forEach((scale, index) => form.append(ballotRow(scale, index)));
  form.append(ballotFoot());
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  show(form);
  activate(0, true);
  startClock();
}

function ballotRow(scale, index) {
  const row = element("div", { className: "row", id: `row-${scale.name}` });
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", scale.label);
  const levels = element("div", { className: "levels" });
  levels.setAttribute("role", "radiogroup");
  levels.setAttribute("aria-label", `${scale.label}, worst first`);
  scale.levels.forEach((word, at) => levels.append(option("radio", `level-${scale.name}`, at + 1, word, at + 1,
    draft.ratings[scale.name] === at + 1, () => setLevel(index, at + 1))));
  row.append(element("span", { className: "name", textContent: scale.label }), levels);
  if (scale.attributes.length) row.append(chips(scale, index));
  row.addEventListener("focusin", () => activate(index, false));
  return row;
}

function option(type, name, value, word, hint, isChecked, change) {
  const input = element("input", { type, name, value, checked: isChecked });
  input.addEventListener("change", change);
  const key = element("i", { textContent: String(hint).toUpperCase() });
  key.setAttribute("aria-hidden", "true");
  return element("label", { className: "option" }, input, element("span", {}, key, word));
}

function chips(scale, index) {
  const box = element("div", { className: "chips" });
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `What you saw: ${scale.label}`);
  const chosen = draft.attributes[scale.name] || [];
  [setup.none, ...scale.attributes, setup.other].forEach((word, at) => box.append(option("checkbox", `chip-${scale.name}`, word, word,
    CHIP_KEYS[at] || "", chosen.includes(word), (event) => setChip(index, word, event.target.checked))));
  const text = element("input", { type: "text", maxLength: 300, placeholder: "what is it?", value: draft.other[scale.name] || "", hidden: !chosen.includes(setup.other) });
  text.setAttribute("aria-label", `Other distortion: ${scale.label}`);
  text.addEventListener("input", () => { draft.other[scale.name] = text.value; saveDraft(); });
  box.append(text);
  return box;
}

function ballotFoot() {
  const send = element("button", { type: "submit", id: "send", textContent: "Send (Enter)" });
  const again = element("button", { type: "button", className: "plain", id: "again", textContent: `Watch again (P) · ${state.clip.replays_left} left`, disabled: state.clip.replays_left < 1 });
  again.addEventListener("click", play);
  const undo = element("button", { type: "button", className: "plain", id: "undo", textContent: "Rate the previous clip again (Z)", disabled: !state.can_undo });
  undo.addEventListener("click", undoLast);
  const problem = element("p", { id: "problem" });
  problem.setAttribute("role", "alert");
  return element("div", { className: "foot" }, send, again, undo, element("span", { id: "time", className: "quiet" }), problem);
}

function startClock() {
  ratedSince = performance.now();
  const clock = document.getElementById("time");
  const tick = () => {
    const left = setup.rules.rating_seconds - (performance.now() - ratedSince) / 1000;
    clock.textContent = left > 15 ? "" : left > 0 ? `${Math.ceil(left)} seconds left` : "Please send your rating now";
  };
  tick();
  timer = setInterval(tick, 1000);
}

function rowOf(index) { return document.getElementById(`row-${setup.scales[index].name}`); }

function activate(index, takeFocus) {
  active = index;
  setup.scales.forEach((_, at) => rowOf(at).classList.toggle("active", at === index));
  if (takeFocus) {
    const levels = rowOf(index).querySelectorAll(".levels input");
    ([...levels].find((input) => input.checked) || levels[0]).focus({ preventScroll: false });
  }
}

function setLevel(index, level) {
  const scale = setup.scales[index];
  draft.ratings[scale.name] = level;
  rowOf(index).querySelectorAll(".levels input")[level - 1].checked = true;
  // The best level says that there is nothing to name; anything else asks what it was.
  if (scale.attributes.length && level === scale.levels.length && !(draft.attributes[scale.name] || []).length) setChip(index, setup.none, true);
  markProblems(false);
  saveDraft();
}

function setChip(index, word, isChosen) {
  const scale = setup.scales[index];
  const before = draft.attributes[scale.name] || [];
  let chosen = isChosen ? [...before, word] : before.filter((other) => other !== word);
  if (isChosen) chosen = word === setup.none ? [word] : chosen.filter((other) => other !== setup.none);
  draft.attributes[scale.name] = [...new Set(chosen)];
  for (const input of rowOf(index).querySelectorAll(".chips input[type=checkbox]")) input.checked = chosen.includes(input.value);
  const text = rowOf(index).querySelector(".chips input[type=text]");
  text.hidden = !chosen.includes(setup.other);
  if (isChosen && word === setup.other) text.focus();
  markProblems(false);
  saveDraft();
}

function problemOf(scale) {
  const chosen = draft.attributes[scale.name] || [];
  if (!draft.ratings[scale.name]) return `please rate ${scale.label}`;
  if (scale.attributes.length && !chosen.length) return `${scale.label}: choose what you saw, or none`;
  if (chosen.includes(setup.other) && !(draft.other[scale.name] || "").trim()) return `${scale.label}: write what the other distortion is`;
  return "";
}

function markProblems(isLoud) {
  const problems = setup.scales.map(problemOf);
  setup.scales.forEach((_, at) => { if (isLoud || !problems[at]) rowOf(at).classList.toggle("missing", Boolean(problems[at])); });
  const first = problems.findIndex(Boolean);
  const sentence = first < 0 ? "" : problems[first][0].toUpperCase() + problems[first].slice(1) + ".";
  const line = document.getElementById("problem");
  if (isLoud) line.textContent = sentence;
  else if (line.textContent !== sentence) line.textContent = "";  // what it asked for has been done
  if (isLoud && first >= 0) activate(first, true);
  return first < 0;
}

async function submit() {
  if (isSending || !markProblems(true)) return;
  isSending = true;
  document.getElementById("send").disabled = true;
  const name = draftName(), position = state.clip.position;
  const other = Object.fromEntries(Object.entries(draft.other).filter(([key]) => (draft.attributes[key] || []).includes(setup.other)));
  try {
    const reply = await deliver("/ballot", { position, submission: draft.submission, ratings: draft.ratings, attributes: draft.attributes, other });
    localStorage.removeItem(name);
    state = reply.state;
    if (reply.outcome === "taken") { notice.textContent = "This clip was rated in another window; here is the next one."; return resume(); }
    if (reply.feedback) return showFeedback(reply.feedback);
    if (state.stage === "rating" && !state.clip.can_rate) { showProgress(); return play(); }
    resume();
  } catch (error) {
    isSending = false;
    document.getElementById("send").disabled = false;
    document.getElementById("problem").textContent = error.message;
  }
}

function showFeedback(feedback) {
  const table = element("table", { className: "answers" });
  table.append(element("tr", {}, ...["", "You said", "Most people say", ""].map((text) => element("th", { textContent: text, scope: "col" }))));
  for (const answer of feedback.answers) {
    table.append(element("tr", {}, element("th", { textContent: answer.dimension, scope: "row" }), element("td", { textContent: answer.given }),
      element("td", { textContent: answer.right.join(" or ") }), element("td", { textContent: answer.is_right ? "✓ agrees" : "✗ differs" })));
  }
  const isRight = feedback.answers.every((answer) => answer.is_right);
  const isOver = !(state.clip && state.clip.is_training);
  message(isRight ? "That agrees with most people" : "Most people see it differently",
    [table, ...(feedback.note ? [feedback.note] : []), ...(isOver ? ["Practice is over. From now on there are no hints, and every rating counts."] : [])],
    "Next clip (Space)", () => (state.stage === "rating" ? playFullScreen() : resume()));
}

async function undoLast() {
  if (!state.can_undo) return;
  try { state = await deliver("/undo", {}); notice.textContent = "The previous clip again: your new rating replaces the old one."; resume(); }
  catch (error) { refresh(error.message); }
}

// --- keys ---

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (!screenBox.hidden) { if (event.key === " ") event.preventDefault(); return; }
  const isTyping = event.target.matches("input[type=text]");
  const button = document.getElementById("go");
  if (button && (event.key === " " || event.key === "Enter") && event.target !== button) { event.preventDefault(); button.click(); return; }
  const undo = document.getElementById("undo");
  if (undo && !undo.disabled && !isTyping && event.key.toLowerCase() === "z") { event.preventDefault(); undoLast(); return; }
  if (!draft || !document.querySelector(".ballot")) return;
  if (event.key === "Enter" && !event.target.matches("button")) { event.preventDefault(); submit(); return; }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    activate((active + step + setup.scales.length) % setup.scales.length, true);
    return;
  }
  if (isTyping) return;
  const key = event.key.toLowerCase(), scale = setup.scales[active];
  if (/^[0-9]$/.test(key)) {
    const level = key === "0" ? 10 : Number(key);
    if (level > scale.levels.length) return;
    event.preventDefault();
    setLevel(active, level);
    if (!problemOf(scale) && active + 1 < setup.scales.length) activate(active + 1, true); else activate(active, true);
  } else if (key === "p" && !document.getElementById("again").disabled) { play(); }
  else if (scale.attributes.length) {
    const word = [setup.none, ...scale.attributes, setup.other][CHIP_KEYS.indexOf(key)];
    if (!word || CHIP_KEYS.indexOf(key) < 0) return;
    event.preventDefault();
    setChip(active, word, !(draft.attributes[scale.name] || []).includes(word));
  }
});

resume();
