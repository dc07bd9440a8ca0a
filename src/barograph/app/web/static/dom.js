// Elements from code: `h("p", {class: "quiet"}, "text", child)`.

/** Make an element; text is always text, never markup. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Set text only where it differs, so that screen readers and the layout are left in peace. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Rows of [term, value, remark?] as a definition list. */
export function showFacts(list, rows) {
  const wanted = JSON.stringify(rows);
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(
    ...rows.flatMap(([term, value, remark]) => [
      h("dt", {}, term),
      h("dd", {}, value, remark ? h("br") : null, remark ? h("small", {}, remark) : null),
    ]),
  );
}

/** A choice among few as radio buttons in `fieldset`; `onChoose(value)`. */
export function radios(fieldset, name, options, chosen, onChoose) {
  for (const old of fieldset.querySelectorAll("label")) old.remove();
  for (const [value, text] of options) {
    const input = h("input", { type: "radio", name, value, checked: value === chosen });
    input.addEventListener("change", () => onChoose(value));
    fieldset.append(h("label", {}, input, text));
  }
}
