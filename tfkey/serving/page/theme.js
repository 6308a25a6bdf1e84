// Light, dark, or as the system has it.

import { byId, setText } from "./dom.js";
import { recall, remember } from "./memory.js";

const NAME = "tfkey-theme";
const CHOICES = ["system", "light", "dark"];
const WORDS = { system: "System", light: "Light", dark: "Dark" };
const system = matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark now. */
export function isDark() {
  const choice = document.documentElement.dataset.theme;
  return choice === "dark" || (choice !== "light" && system.matches);
}

/** Make the button work; `onChange` is called whenever the colours change. */
export function setUpTheme(onChange) {
  const button = byId("theme");
  const apply = (choice) => {
    if (choice === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    setText(byId("theme-name"), WORDS[choice]);
    button.dataset.choice = choice;
  };
  const remembered = recall(NAME, true);
  apply(CHOICES.includes(remembered) ? remembered : "system");
  button.addEventListener("click", () => {
    const choice = CHOICES[(CHOICES.indexOf(button.dataset.choice) + 1) % CHOICES.length];
    remember(NAME, choice, true);
    apply(choice);
    onChange();
  });
  system.addEventListener("change", onChange);
}
