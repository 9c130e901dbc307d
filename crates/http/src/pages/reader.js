// Reads the OpenAPI document of this server and shows it: what can be asked, what it takes and what comes of it.
// What the document says goes into the page as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** An element with these properties and children; what is null is left out. */
function element(name, properties, ...children) {
  const made = document.createElement(name);
  Object.assign(made, properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A text of the document in which `code` stands between backticks. */
function prose(name, text) {
  const parts = String(text ?? "").split("`");
  return element(name, {}, ...parts.map((part, index) => (index % 2 ? element("code", { textContent: part }) : part)));
}

function lastOf(reference) {
  return reference.split("/").pop();
}

/** What a schema is, in a few words, with links to the shapes that it names. */
function kindOf(schema) {
  const words = element("span", {});
  const either = (choices, between) =>
    choices.forEach((choice, index) => words.append(index ? between : "", kindOf(choice)));
  if (!schema || Object.keys(schema).length === 0) {
    words.append("anything");
  } else if (schema.$ref) {
    words.append(element("a", { href: `#shape-${lastOf(schema.$ref)}`, textContent: lastOf(schema.$ref) }));
  } else if (schema.oneOf || schema.anyOf) {
    either(schema.oneOf ?? schema.anyOf, " or ");
  } else if (schema.allOf) {
    either(schema.allOf, " and ");
  } else {
    const types = [schema.type ?? "object"].flat();
    types.forEach((type, index) => {
      words.append(index ? " or " : "");
      if (type === "array") {
        words.append("list of ", kindOf(schema.items));
      } else {
        words.append(schema.format && type !== "null" ? `${type} (${schema.format})` : type);
      }
    });
  }
  return words;
}

/** The bounds of a value, and an example. */
function bounds(schema, example) {
  const told = [];
  const tell = (word, value) => value !== undefined && told.push(`${word} ${typeof value === "string" ? value : JSON.stringify(value)}`);
  tell("at least", schema?.minimum);
  tell("at most", schema?.maximum);
  tell("characters from", schema?.minLength);
  tell("characters up to", schema?.maxLength);
  tell("items from", schema?.minItems);
  tell("items up to", schema?.maxItems);
  tell("default", schema?.default);
  tell("one of", schema?.enum?.join(", "));
  tell("like", example ?? schema?.example);
  return told.join("; ");
}

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col", textContent: text })));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))));
  const made = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { className: "wide" }, made);
}

/** The fields of a schema, those of the parts that it is put together from among them. */
function fieldsOf(schema, schemas) {
  if (schema?.$ref) {
    return fieldsOf(schemas[lastOf(schema.$ref)], schemas);
  }
  const parts = (schema?.allOf ?? []).flatMap((part) => fieldsOf(part, schemas));
  const required = schema?.required ?? [];
  const own = Object.entries(schema?.properties ?? {}).map(([name, field]) => ({ name, field, isRequired: required.includes(name) }));
  return [...parts, ...own];
}

function fieldTable(fields) {
  const rows = fields.map(({ name, field, isRequired }) => [
    element("span", {}, element("code", { textContent: name }), isRequired ? " *" : ""),
    kindOf(field),
    element("span", {}, prose("span", field.description), " ", element("small", { textContent: bounds(field) })),
  ]);
  return table(["Field", "Type", "Meaning (* always there)"], rows);
}

function parameterTable(parameters) {
  const rows = parameters.map((parameter) => [
    element("span", {}, element("code", { textContent: parameter.name }), parameter.required ? " *" : ""),
    parameter.in,
    kindOf(parameter.schema),
    element("span", {}, prose("span", parameter.description), " ", element("small", { textContent: bounds(parameter.schema, parameter.example) })),
  ]);
  return table(["Parameter", "In", "Type", "Meaning (* must be given)"], rows);
}

function contentOf(content) {
  const told = element("span", {});
  Object.entries(content ?? {}).forEach(([form, { schema }], index) =>
    told.append(index ? ", " : "", element("code", { textContent: form }), " ", kindOf(schema)));
  return told;
}

function exampleOf(content, schemas) {
  for (const { schema, example } of Object.values(content ?? {})) {
    const named = (schema?.oneOf ?? [schema]).find((choice) => choice?.$ref);
    const found = example ?? (named && schemas[lastOf(named.$ref)]?.example);
    if (found !== undefined) {
      return element("pre", { textContent: JSON.stringify(found, null, 2), tabIndex: 0 });
    }
  }
  return null;
}

function answerTable(answers, components) {
  const rows = Object.entries(answers).map(([status, given]) => {
    const answer = given.$ref ? components.responses[lastOf(given.$ref)] : given;
    return [element("code", { textContent: status }), prose("span", answer.description), contentOf(answer.content)];
  });
  return table(["Status", "Meaning", "Body"], rows);
}

function operationSection(path, method, operation, components) {
  const schemas = components.schemas;
  const section = element("section", { id: `operation-${operation.operationId}` });
  const title = element("h3", {}, element("span", { className: `method ${method}`, textContent: method.toUpperCase() }), " ", element("code", { textContent: path }));
  section.append(title);
  if (operation.deprecated) {
    section.append(element("p", { className: "deprecated", textContent: "Deprecated: its answers tell what to use instead, and until when it is served." }));
  }
  section.append(prose("p", operation.summary));
  if (operation.description) {
    section.append(prose("p", operation.description));
  }
  const schemes = (operation.security ?? []).flatMap((scheme) => Object.keys(scheme));
  section.append(element("p", { textContent: schemes.length ? "Needs a token, an API key or a device credential." : "Needs no token." }));
  if (operation.parameters?.length) {
    section.append(parameterTable(operation.parameters));
  }
  if (operation.requestBody) {
    const content = operation.requestBody.content;
    const example = exampleOf(content, schemas);
    section.append(element("h4", { textContent: "Body" }), element("p", {}, contentOf(content)));
    if (example) {
      section.append(example);
    }
  }
  section.append(element("h4", { textContent: "Answers" }), answerTable(operation.responses, components));
  return section;
}

/** All operations of a group, in the order of the document. */
function operationsOf(api, tag) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]?.tags?.includes(tag)).map((method) => ({ path, method, operation: item[method] })));
}

function show(api) {
  const reader = document.getElementById("reader");
  const contents = document.getElementById("contents");
  reader.append(prose("p", api.info.description));
  for (const tag of api.tags) {
    const operations = operationsOf(api, tag.name);
    const links = operations.map(({ path, method, operation }) => {
      const link = element("a", { href: `#operation-${operation.operationId}`, textContent: operation.operationId, title: `${method.toUpperCase()} ${path}` });
      const item = element("li", {}, link);
      item.dataset.words = `${operation.operationId} ${method} ${path} ${operation.summary}`.toLowerCase();
      return item;
    });
    const group = element("section", { className: "group" }, element("h2", { textContent: tag.name }), element("ul", {}, ...links));
    contents.append(group);
    reader.append(element("h2", { textContent: tag.name }), prose("p", tag.description));
    reader.append(...operations.map(({ path, method, operation }) => operationSection(path, method, operation, api.components)));
  }
  reader.append(element("h2", { textContent: "Shapes" }));
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    const fields = fieldsOf(schema, api.components.schemas);
    const body = fields.length ? fieldTable(fields) : element("p", {}, kindOf(schema), " ", bounds(schema));
    reader.append(element("section", { id: `shape-${name}` }, element("h3", { textContent: name }), prose("p", schema.description), body));
  }
}

/** Leaves those operations in the contents that have all these words. */
function filter(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of document.querySelectorAll("#contents li")) {
    item.hidden = !words.every((word) => item.dataset.words.includes(word));
  }
  for (const group of document.querySelectorAll("#contents .group")) {
    group.hidden = !group.querySelector("li:not([hidden])");
  }
}

async function read() {
  const state = document.getElementById("state");
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) {
      throw new Error(`the server answered ${answer.status}`);
    }
    show(await answer.json());
    state.hidden = true;
  } catch (fault) {
    state.textContent = `The document cannot be read: ${fault.message}.`;
    return;
  }
  document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
  // The place that the address names was not there when the page was opened.
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

read();
