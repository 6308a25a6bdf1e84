// Making elements. Nothing here parses markup, and no style is written as an attribute: the content security
// policy forbids it, and so no file name can become markup.

/** An HTML element with attributes (false and null leave one out) and children (elements or text). */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

export function byId(id) {
  return document.getElementById(id);
}

/** Replace an element's text, only if it differs: a live region repeats what is written twice. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A file name that may be broken after its separators, for narrow columns. */
export function breakable(name) {
  return name.split(/(?<=[_\-.])/).flatMap((part, index) => (index ? [document.createElement("wbr"), part] : [part]));
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
