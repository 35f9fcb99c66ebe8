"use strict";
// Text from the graph is shown with textContent or on the canvas, never as markup.
(() => {
  const LARGE = 500; // nodes: larger graphs are panned as one image and redrawn afterwards
  const MAX_COLUMN = 12; // nodes: taller columns are unreadable without zooming in
  const FIRST_RING = 60; // nodes on the innermost ring, at most
  const MAX_LISTED = 100;
  const SHAPES = {
    Project: "hexagon", Dataset: "barrel", Model: "round-rectangle",
    Experiment: "ellipse", Metric: "diamond",
  };
  const data = JSON.parse(document.getElementById("data").textContent);
  const isLarge = data.nodes.length > LARGE;
  const root = document.documentElement;
  const columnSizes = [];
  for (const { distance } of data.nodes) {
    columnSizes[distance] = (columnSizes[distance] || 0) + 1;
  }
  const hasColumns = Math.max(...columnSizes) <= MAX_COLUMN;
  const byId = (id) => document.getElementById(id);

  function addElement(tag, text, parent) {
    const element = document.createElement(tag);
    element.textContent = text;
    parent.append(element);
    return element;
  }

  function buildStyle() {
    const css = getComputedStyle(root);
    const color = (name) => css.getPropertyValue(`--${name}`).trim();
    const font = { "font-size": 12, "min-zoomed-font-size": 7, color: color("ink") };
    return [
      { selector: "node", style: {
        ...font, label: "data(name)", width: 26, height: 26, "border-width": 1,
        "border-color": color("ink"), "text-valign": "bottom", "text-margin-y": 4,
        "text-max-width": 120, "text-wrap": "ellipsis",
      } },
      ...Object.keys(SHAPES).map((label) => ({ selector: `node.${label}`, style: {
        "background-color": color(label), shape: SHAPES[label],
      } })),
      { selector: "node.root", style: { width: 42, height: 42, "border-width": 4 } },
      { selector: "edge", style: {
        width: 1.2, "line-color": color("muted"), "curve-style": "haystack", "haystack-radius": 0,
      } },
      // Arrows and labels of thousands of edges are slow and unreadable: in a large graph only the
      // edges of the selected node have them.
      { selector: isLarge ? "edge:selected, edge.near" : "edge", style: {
        ...font, label: "data(name)", "font-size": 9, color: color("muted"),
        "text-rotation": "autorotate",
        "text-background-color": color("paper"), "text-background-opacity": 1,
        "curve-style": isLarge ? "straight" : "bezier",
        "target-arrow-shape": "triangle", "target-arrow-color": color("muted"), "arrow-scale": 0.8,
      } },
      // An edge within a column bends around the nodes between its ends, and parallel edges differ.
      ...(hasColumns ? [{ selector: "edge.span0", style: {
        "curve-style": "unbundled-bezier", "control-point-distances": "data(bend)",
        "control-point-weights": 0.5,
      } }] : []),
      { selector: ".faded", style: { opacity: 0.15, "text-opacity": 0 } },
      { selector: "node.found, node:selected", style: {
        "border-width": 4, "border-color": color("accent"), "z-index": 1,
      } },
      { selector: "edge:selected, edge.near", style: {
        width: 2.5, "line-color": color("accent"), "target-arrow-color": color("accent"),
      } },
    ];
  }

  // Small graphs have the root on the left and a column per distance. Other graphs have the root in
  // the middle and one or more rings per distance. From ring to ring the circumference grows by
  // 2 pi times the distance of two rings: each ring has room for 6 nodes more than the last.
  function assignRings() {
    let ring = 0, size = 0, distance = 0;
    return data.nodes.map((node) => {
      if (node.distance !== distance || size === FIRST_RING + 6 * ring) {
        ring += 1;
        size = 0;
        distance = node.distance;
      }
      size += 1;
      return ring;
    });
  }

  function buildLayout() {
    if (hasColumns) {
      return {
        name: "breadthfirst", roots: ["n0"], direction: "rightward", spacingFactor: 1.2, fit: false,
      };
    }
    const rings = assignRings();
    return {
      name: "concentric", concentric: (node) => -rings[numberOf(node)], levelWidth: () => 1,
      minNodeSpacing: data.nodes.length > FIRST_RING ? 20 : 60, fit: false,
    };
  }

  const numberOf = (item) => Number(item.id().slice(1));
  const span = ({ source, target }) =>
    Math.abs(data.nodes[source].distance - data.nodes[target].distance);

  // Between two nodes there may be several edges of a type, which differ in their properties.
  const routes = new Map();
  const routeOf = ({ type, source, target }) => `${type} ${source} ${target}`;
  for (const edge of data.edges) {
    if (!routes.has(routeOf(edge))) routes.set(routeOf(edge), []);
    routes.get(routeOf(edge)).push(edge);
  }
  const parallelTo = (edge) => routes.get(routeOf(edge));
  const nameOf = (edge) => (parallelTo(edge).length === 1
    ? edge.type
    : [edge.type, ...edge.properties.map(([, value]) => value)].join(" "));

  const cy = cytoscape({
    container: byId("graph"),
    elements: [
      ...data.nodes.map((node, number) => ({
        data: { id: `n${number}`, name: node.uid },
        classes: number ? node.label : `${node.label} root`,
        grabbable: !isLarge, pannable: isLarge,
      })),
      ...data.edges.map((edge, number) => ({
        data: {
          id: `e${number}`, source: `n${edge.source}`, target: `n${edge.target}`,
          name: nameOf(edge), bend: 60 + 30 * parallelTo(edge).indexOf(edge),
        },
        classes: `span${span(edge)}`,
      })),
    ],
    layout: { name: "null" },
    style: buildStyle(),
    minZoom: 0.01,
    maxZoom: 4,
    boxSelectionEnabled: false,
    selectionType: "single",
    textureOnViewport: isLarge,
  });
  // Without the edges over several columns: breadthfirst derives the columns from the edges, in
  // both directions, while a lineage follows them in one.
  cy.nodes().union(cy.edges(".span1")).layout(buildLayout()).run();

  function fit() {
    cy.fit(undefined, 30);
    if (cy.zoom() > 1.3) {
      cy.zoom(1.3);
      cy.center();
    }
  }

  const titleOf = (node) => `${node.label} ${node.uid}`;

  function startDetails(heading) {
    byId("details").replaceChildren();
    addElement("h2", heading, byId("details"));
  }

  function listProperties(properties) {
    const list = addElement("dl", "", byId("details"));
    for (const [name, value] of properties) {
      addElement("dt", name, list);
      addElement("dd", value, list);
    }
  }

  function listNodes(heading, entries) {
    if (!entries.length) return;
    addElement("h3", heading, byId("details"));
    const list = addElement("ul", "", byId("details"));
    for (const [text, number] of entries.slice(0, MAX_LISTED)) {
      const button = addElement("button", text, addElement("li", "", list));
      button.type = "button";
      button.addEventListener("click", () => goTo(cy.getElementById(`n${number}`)));
    }
    if (entries.length > MAX_LISTED) {
      addElement("li", `and ${entries.length - MAX_LISTED} more`, list);
    }
  }

  function listNeighbours(number) {
    return data.edges.flatMap((edge) => {
      const { source, target } = edge, name = nameOf(edge);
      if (source === number) return [[`${name} → ${titleOf(data.nodes[target])}`, target]];
      return target === number ? [[`${name} ← ${titleOf(data.nodes[source])}`, source]] : [];
    });
  }

  function showNode(number) {
    const node = data.nodes[number];
    startDetails(titleOf(node));
    if (node.picture) {
      const image = addElement("img", "", byId("details"));
      image.alt = "learning curve";
      image.src = node.picture;
    }
    listProperties(node.properties);
    listNodes("Edges", listNeighbours(number));
  }

  function showEdge(number) {
    const edge = data.edges[number];
    startDetails(edge.type);
    listProperties(edge.properties);
    listNodes("Ends", [edge.source, edge.target].map((end) => [titleOf(data.nodes[end]), end]));
  }

  function select(item) {
    cy.batch(() => {
      cy.elements(".near").removeClass("near");
      cy.elements(":selected").unselect();
      item.select();
      if (item.isNode()) item.connectedEdges().addClass("near");
    });
  }

  function goTo(node) {
    select(node);
    showNode(numberOf(node));
    cy.zoom(Math.max(cy.zoom(), 1));
    cy.center(node);
  }

  const searchTexts = data.nodes.map((node) =>
    [node.label, node.uid, ...node.properties.flat()].join("\n").toLowerCase());

  function search() {
    const term = byId("search").value.trim().toLowerCase();
    const found = term
      ? searchTexts.flatMap((text, number) => (text.includes(term) ? [number] : []))
      : [];
    cy.batch(() => {
      cy.elements().removeClass("found").toggleClass("faded", Boolean(term));
      for (const number of found) {
        cy.getElementById(`n${number}`).removeClass("faded").addClass("found");
      }
    });
    if (!term) {
      showNode(0);
      return found;
    }
    startDetails(`${found.length} found`);
    listNodes("Nodes", found.map((number) => [titleOf(data.nodes[number]), number]));
    return found;
  }

  const updateColors = () => cy.style(buildStyle());

  function beforePrint() {
    root.dataset.printing = "";
    updateColors();
    byId("paper").src = cy.png({
      full: true, scale: 2, maxWidth: 4000, maxHeight: 4000, bg: "#ffffff",
    });
  }

  function afterPrint() {
    delete root.dataset.printing;
    updateColors();
  }

  document.title = titleOf(data.nodes[0]);
  document.querySelector("h1").textContent = document.title;
  byId("counts").textContent = `${data.nodes.length} nodes, ${data.edges.length} edges`;
  byId("notice").textContent = data.notice;
  byId("notice").hidden = !data.notice;
  for (const label of Object.keys(SHAPES)) {
    const count = data.nodes.filter((node) => node.label === label).length;
    if (count) addElement("li", `${label} ${count}`, byId("legend")).className = label;
  }
  cy.on("tap", "node", (event) => { select(event.target); showNode(numberOf(event.target)); });
  cy.on("tap", "edge", (event) => { select(event.target); showEdge(numberOf(event.target)); });
  byId("search").addEventListener("input", search);
  byId("search").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const found = search();
    if (found.length) goTo(cy.getElementById(`n${found[0]}`));
  });
  byId("fit").addEventListener("click", fit);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", updateColors);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  showNode(0);
  fit();
})();
