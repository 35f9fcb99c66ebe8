"use strict";
// All that comes from the graph is shown as text (textContent, or on the canvas), never as markup.
(() => {
  const LARGE = 500; // nodes: a larger picture is moved as a whole, and drawn again when it rests
  const LISTED = 100;
  const SHAPES = {
    Project: "hexagon", Dataset: "barrel", Model: "round-rectangle",
    Experiment: "ellipse", Metric: "diamond",
  };
  const data = JSON.parse(document.getElementById("data").textContent);
  const isLarge = data.nodes.length > LARGE;
  const root = document.documentElement;
  const at = (id) => document.getElementById(id);

  function element(tag, text, parent) {
    const made = document.createElement(tag);
    made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  function colours() {
    const css = getComputedStyle(root);
    return (name) => css.getPropertyValue(`--${name}`).trim();
  }

  function style() {
    const colour = colours();
    const font = { "font-size": 12, "min-zoomed-font-size": 7, color: colour("ink") };
    return [
      { selector: "node", style: {
        ...font, label: "data(name)", width: 26, height: 26, "border-width": 1,
        "border-color": colour("ink"), "text-valign": "bottom", "text-margin-y": 4,
        "text-max-width": 130, "text-wrap": "ellipsis",
      } },
      ...Object.keys(SHAPES).map((label) => ({ selector: `node.${label}`, style: {
        "background-color": colour(label), shape: SHAPES[label],
      } })),
      { selector: "node.root", style: { width: 42, height: 42, "border-width": 4 } },
      { selector: "edge", style: {
        width: 1.2, "line-color": colour("muted"), "curve-style": "haystack", "haystack-radius": 0,
      } },
      // Arrows and labels of thousands of edges take long to draw, and can't be seen: of a large
      // picture, the edges at the chosen node have them.
      { selector: isLarge ? "edge:selected, edge.near" : "edge", style: {
        ...font, label: "data(name)", "font-size": 9, color: colour("muted"),
        "text-rotation": "autorotate",
        "text-background-color": colour("paper"), "text-background-opacity": 1,
        "curve-style": isLarge ? "straight" : "bezier",
        "target-arrow-shape": "triangle", "target-arrow-color": colour("muted"), "arrow-scale": 0.8,
      } },
      { selector: ".faded", style: { opacity: 0.15, "text-opacity": 0 } },
      { selector: "node.found, node:selected", style: {
        "border-width": 4, "border-color": colour("accent"), "z-index": 1,
      } },
      { selector: "edge:selected, edge.near", style: {
        width: 2.5, "line-color": colour("accent"), "target-arrow-color": colour("accent"),
      } },
    ];
  }

  const cy = cytoscape({
    container: at("graph"),
    elements: [
      ...data.nodes.map((node, place) => ({
        data: { id: `n${place}`, name: node.uid }, position: { x: node.x, y: node.y },
        classes: place ? node.label : `${node.label} root`,
        grabbable: !isLarge, pannable: isLarge,
      })),
      ...data.edges.map((edge, place) => ({
        data: { id: `e${place}`, source: `n${edge.source}`, target: `n${edge.target}`, name: edge.type },
      })),
    ],
    layout: { name: "preset" },
    style: style(),
    minZoom: 0.01,
    maxZoom: 4,
    boxSelectionEnabled: false,
    selectionType: "single",
    textureOnViewport: isLarge,
  });

  function fit() {
    cy.fit(undefined, 30);
    if (cy.zoom() > 1.3) {
      cy.zoom(1.3);
      cy.center();
    }
  }

  const title = (node) => `${node.label} ${node.uid}`;
  const place = (item) => Number(item.id().slice(1));

  function listProperties(properties) {
    const list = element("dl", "", at("details"));
    for (const [name, value] of properties) {
      element("dt", name, list);
      element("dd", value, list);
    }
  }

  function listNodes(heading, entries) {
    if (!entries.length) return;
    const details = at("details");
    element("h3", heading, details);
    const list = element("ul", "", details);
    for (const [text, number] of entries.slice(0, LISTED)) {
      const button = element("button", text, element("li", "", list));
      button.type = "button";
      button.addEventListener("click", () => go(cy.getElementById(`n${number}`)));
    }
    if (entries.length > LISTED) element("li", `and ${entries.length - LISTED} more`, list);
  }

  function neighbours(number) {
    return data.edges.flatMap(({ source, target, type }) => {
      if (source === number) return [[`${type} → ${title(data.nodes[target])}`, target]];
      return target === number ? [[`${type} ← ${title(data.nodes[source])}`, source]] : [];
    });
  }

  function showNode(number) {
    const node = data.nodes[number];
    at("details").replaceChildren();
    element("h2", title(node), at("details"));
    listProperties(node.properties);
    listNodes("Edges", neighbours(number));
  }

  function showEdge(number) {
    const edge = data.edges[number];
    at("details").replaceChildren();
    element("h2", edge.type, at("details"));
    listProperties(edge.properties);
    listNodes("Ends", [edge.source, edge.target].map((end) => [title(data.nodes[end]), end]));
  }

  function mark(item) {
    cy.batch(() => {
      cy.elements(".near").removeClass("near");
      cy.elements(":selected").unselect();
      item.select();
      if (item.isNode()) item.connectedEdges().addClass("near");
    });
  }

  function go(node) {
    mark(node);
    showNode(place(node));
    cy.zoom(Math.max(cy.zoom(), 1));
    cy.center(node);
  }

  const texts = data.nodes.map((node) =>
    [node.label, node.uid, ...node.properties.flat()].join("\n").toLowerCase());

  function search() {
    const wanted = at("search").value.trim().toLowerCase();
    const found = wanted ? texts.flatMap((text, number) => (text.includes(wanted) ? [number] : [])) : [];
    cy.batch(() => {
      cy.elements().removeClass("found").toggleClass("faded", Boolean(wanted));
      for (const number of found) cy.getElementById(`n${number}`).removeClass("faded").addClass("found");
    });
    if (!wanted) return showNode(0);
    at("details").replaceChildren();
    element("h2", `${found.length} found`, at("details"));
    listNodes("Nodes", found.map((number) => [title(data.nodes[number]), number]));
    return found;
  }

  function paint() {
    cy.style(style());
  }

  function beforePrint() {
    root.dataset.printing = "";
    paint();
    at("paper").src = cy.png({ full: true, scale: 2, maxWidth: 4000, maxHeight: 4000, bg: "#ffffff" });
  }

  function afterPrint() {
    delete root.dataset.printing;
    paint();
  }

  document.title = title(data.nodes[0]);
  document.querySelector("h1").textContent = document.title;
  at("counts").textContent = `${data.nodes.length} nodes, ${data.edges.length} edges`;
  at("notice").textContent = data.notice;
  at("notice").hidden = !data.notice;
  for (const label of Object.keys(SHAPES)) {
    const count = data.nodes.filter((node) => node.label === label).length;
    if (count) element("li", `${label} ${count}`, at("legend")).className = label;
  }
  cy.on("tap", "node", (event) => { mark(event.target); showNode(place(event.target)); });
  cy.on("tap", "edge", (event) => { mark(event.target); showEdge(place(event.target)); });
  at("search").addEventListener("input", search);
  at("search").addEventListener("keydown", (event) => {
    const found = event.key === "Enter" ? search() : undefined;
    if (found && found.length) go(cy.getElementById(`n${found[0]}`));
  });
  at("fit").addEventListener("click", fit);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  showNode(0);
  fit();
})();
