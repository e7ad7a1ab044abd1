// Measures the screen and draws the color plates: a digit of dots that differ in hue, while their
// lightness is noise, so that lightness alone does not show the digit.
"use strict";

function measure() {
  const note = document.getElementById("display");
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [screen.width, screen.height];
  document.querySelector("input[name=screen]").value = `${wide}x${high} at ${ratio}`;
  const isEnough = wide >= Number(note.dataset.width) && high >= Number(note.dataset.height);
  const text = `Your screen: ${Math.round(wide * ratio)} × ${Math.round(high * ratio)} pixels. ` +
    (isEnough ? "That is large enough." :
      `This study needs at least ${note.dataset.width} × ${note.dataset.height}: please use a larger screen.`);
  // A status is read aloud whenever it is written.
  if (note.textContent !== text) note.textContent = text;
}

measure();
window.addEventListener("resize", measure);   // the window moves to another screen, or the page is zoomed

// Pairs of hues (degrees) that people with red-green or blue-yellow weakness confuse.
const HUES = [[18, 95], [140, 38], [225, 285]];

function randomNumbers(seed) {
  let state = seed * 2654435761 >>> 0 || 1;
  return () => { state ^= state << 13; state ^= state >>> 17; state ^= state << 5; state >>>= 0; return state / 4294967296; };
}

function digitMask(size, digit) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.font = `bold ${size * 0.86}px sans-serif`;
  pen.textAlign = "center"; pen.textBaseline = "middle";
  pen.fillText(digit, size / 2, size * 0.54);
  const pixels = pen.getImageData(0, 0, size, size).data;
  return (x, y) => pixels[(Math.round(y) * size + Math.round(x)) * 4 + 3] > 128;
}

for (const plate of document.querySelectorAll("canvas.plate")) {
  const size = plate.width, pen = plate.getContext("2d");
  const random = randomNumbers(Number(plate.dataset.digit) * 31 + Number(plate.dataset.kind) + 7);
  const isInside = digitMask(size, plate.dataset.digit), hues = HUES[plate.dataset.kind % HUES.length];
  const dots = [];
  for (let attempt = 0; attempt < 16000; attempt++) {
    const radius = 2.5 + random() * 4, angle = random() * 2 * Math.PI;
    const distance = Math.sqrt(random()) * (size / 2 - radius - 2);
    const x = size / 2 + distance * Math.cos(angle), y = size / 2 + distance * Math.sin(angle);
    if (dots.some((dot) => Math.hypot(dot.x - x, dot.y - y) < dot.radius + radius + 1)) continue;
    dots.push({ x, y, radius });
    const hue = hues[isInside(x, y) ? 0 : 1] + (random() - 0.5) * 14;
    pen.fillStyle = `hsl(${hue} ${48 + random() * 18}% ${44 + random() * 22}%)`;
    pen.beginPath(); pen.arc(x, y, radius, 0, 2 * Math.PI); pen.fill();
  }
}
