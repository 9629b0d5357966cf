(function () {
  "use strict";
  const root = document.documentElement;

  // Theme: the reader's system setting, until the button chooses another one.
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const themes = ["auto", "light", "dark"];
  let theme = "auto";
  const button = document.querySelector(".theme");
  function showTheme() {
    root.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
    if (button) button.textContent = { auto: "◐ auto", light: "☀ light", dark: "☾ dark" }[theme];
  }

  function colour(name) {
    return getComputedStyle(root).getPropertyValue("--" + name).trim();
  }
  function seriesColour(index) {
    return colour("series-" + (index % 8 + 1));
  }

  // Four significant digits, grouped, without needless zeros.
  function formatNumber(value) {
    if (value === null || !isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e9)) return value.toExponential(2);
    const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 4;
    const text = value.toFixed(digits);
    const parts = (digits > 0 ? text.replace(/\.?0+$/, "") : text).split(".");
    parts[0] = parts[0].replace(/\B(?=(\d{3})+$)/g, "\u202f");
    return parts.join(".");
  }
  function withUnit(value, unit) {
    return formatNumber(value) + (unit ? " " + unit : "");
  }
  function shorten(text, limit) {
    return text.length <= limit ? text : "…" + text.slice(text.length - limit + 1);
  }
  // What all names of a long list begin and end with says nothing: "/layer1/conv1/Conv" is "layer1/conv1".
  function shortNames(names) {
    if (names.length < 4) return names;
    let start = 0;
    let end = 0;
    const first = names[0];
    const inner = Math.min.apply(null, names.map(function (name) { return name.length; })) - 1;
    while (start < inner && names.every(function (name) { return name[start] === first[start]; })) start += 1;
    while (end < inner - start && names.every(function (name) {
      return name[name.length - 1 - end] === first[first.length - 1 - end];
    })) end += 1;
    while (start > 0 && !/[/.]/.test(first[start - 1])) start -= 1;
    while (end > 0 && !/[/.]/.test(first[first.length - end])) end -= 1;
    return names.map(function (name) { return name.slice(start, name.length - end); });
  }

  const labelFont = "600 11.5px system-ui, sans-serif";
  function textWidth(text) {
    const draw = document.createElement("canvas").getContext("2d");
    draw.font = labelFont;
    return draw.measureText(text).width;
  }

  const valueLabels = {
    id: "valueLabels",
    afterDatasetsDraw: function (chart, args, options) {
      if (!options.enabled) return;
      const draw = chart.ctx;
      draw.save();
      draw.font = labelFont;
      draw.fillStyle = colour("ink");
      chart.data.datasets.forEach(function (dataset, index) {
        if (!chart.isDatasetVisible(index)) return;
        chart.getDatasetMeta(index).data.forEach(function (bar, place) {
          const raw = dataset.data[place];
          if (raw === null || raw === undefined) return;
          const text = formatNumber(Array.isArray(raw) ? raw[1] : raw);
          draw.textAlign = options.horizontal ? "left" : "center";
          draw.textBaseline = options.horizontal ? "middle" : "bottom";
          draw.fillText(text, bar.x + (options.horizontal ? 5 : 0), bar.y - (options.horizontal ? 0 : 4));
        });
      });
      draw.restore();
    }
  };

  const referenceLine = {
    id: "referenceLine",
    afterDatasetsDraw: function (chart, args, options) {
      if (options.value === undefined || options.value === null) return;
      const area = chart.chartArea;
      const horizontal = options.horizontal;
      const place = chart.scales[horizontal ? "x" : "y"].getPixelForValue(options.value);
      const draw = chart.ctx;
      draw.save();
      draw.strokeStyle = draw.fillStyle = colour("bad");
      draw.setLineDash([5, 4]);
      draw.lineWidth = 1.5;
      draw.beginPath();
      draw.moveTo(horizontal ? place : area.left, horizontal ? area.top : place);
      draw.lineTo(horizontal ? place : area.right, horizontal ? area.bottom : place);
      draw.stroke();
      draw.font = labelFont;
      draw.textAlign = horizontal ? "center" : "left";
      draw.textBaseline = horizontal ? "bottom" : "middle";
      draw.fillText(options.name, horizontal ? place : area.right + 6, horizontal ? area.top - 2 : place);
      draw.restore();
    }
  };

  function axis(title, extra) {
    return Object.assign({
      title: { display: !!title, text: title, color: colour("soft") },
      ticks: { color: colour("soft") },
      grid: { color: colour("line"), drawBorder: false }
    }, extra);
  }

  function commonOptions(spec, seriesCount) {
    const beside = spec.reference && !spec.horizontal ? textWidth(spec.reference.name) + 10 : 10;
    const above = spec.reference && spec.horizontal ? 20 : 6;
    return {
      animation: false, responsive: true, maintainAspectRatio: false, layout: { padding: { top: above, right: beside } },
      plugins: {
        legend: {
          display: seriesCount > 1, align: "start",
          labels: { color: colour("ink"), boxWidth: 12, boxHeight: 12, useBorderRadius: true, borderRadius: 3 }
        },
        tooltip: { padding: 10, boxPadding: 4 },
        referenceLine: spec.reference ? Object.assign({ horizontal: !!spec.horizontal }, spec.reference) : {}
      }
    };
  }

  function barConfig(spec) {
    const bars = spec.labels.length * spec.series.length;
    const labelled = bars <= 16 && !spec.stacked;
    const options = commonOptions(spec, spec.series.length);
    const values = axis(spec.unit, {
      type: spec.logarithmic ? "logarithmic" : "linear", stacked: spec.stacked,
      grace: labelled ? "12%" : 0
    });
    values.ticks.callback = function (value) { return formatNumber(value); };
    const names = axis("", { stacked: spec.stacked });
    names.grid.display = false;
    names.ticks.maxRotation = 60;
    const shown = shortNames(spec.labels);
    names.ticks.callback = function (value) { return shorten(shown[value], 26); };
    options.scales = spec.horizontal ? { x: values, y: names } : { x: names, y: values };
    options.indexAxis = spec.horizontal ? "y" : "x";
    options.plugins.valueLabels = { enabled: labelled, horizontal: !!spec.horizontal };
    if (labelled && spec.horizontal) options.layout.padding.right = 56;
    options.interaction = { mode: "index", intersect: false, axis: spec.horizontal ? "y" : "x" };
    options.plugins.tooltip.callbacks = {
      label: function (item) {
        const raw = item.raw;
        const text = Array.isArray(raw) ? formatNumber(raw[0]) + " … " + withUnit(raw[1], spec.unit) : withUnit(raw, spec.unit);
        return " " + item.dataset.label + ": " + text;
      }
    };
    return {
      type: "bar", options: options, plugins: [valueLabels, referenceLine],
      data: {
        labels: spec.labels,
        datasets: spec.series.map(function (series, index) {
          return {
            label: series.name, data: series.values, backgroundColor: seriesColour(index),
            borderRadius: bars > 60 ? 1 : 4, maxBarThickness: 64, categoryPercentage: bars > 60 ? .9 : .72, barPercentage: .9
          };
        })
      }
    };
  }

  function lineConfig(spec) {
    const options = commonOptions(spec, spec.series.length);
    const points = spec.series.reduce(function (most, series) { return Math.max(most, series.points.length); }, 0);
    const whole = spec.series.every(function (series) {
      return series.points.every(function (point) { return Number.isInteger(point.x); });
    });
    const x = axis(spec.xTitle, { type: "linear", offset: points === 1 });
    if (whole) x.ticks.precision = 0;
    const y = axis(spec.yTitle, { type: spec.logarithmic ? "logarithmic" : "linear", grace: "5%" });
    y.ticks.callback = function (value) { return formatNumber(value); };
    options.scales = { x: x, y: y };
    options.interaction = { mode: "nearest", intersect: false, axis: "x" };
    Object.assign(options.plugins.legend.labels, { usePointStyle: true, pointStyle: "line", boxWidth: 26 });
    options.plugins.tooltip.callbacks = {
      title: function (items) { return (spec.xTitle ? spec.xTitle + " " : "") + formatNumber(items[0].parsed.x); },
      label: function (item) { return " " + item.dataset.label + ": " + formatNumber(item.parsed.y); }
    };
    return {
      type: "line", options: options, plugins: [referenceLine],
      data: {
        datasets: spec.series.map(function (series, index) {
          return {
            label: series.name, data: series.points, borderColor: seriesColour(index),
            backgroundColor: seriesColour(index), borderWidth: 2, tension: .15, spanGaps: false,
            pointRadius: series.points.length > 40 ? 0 : 2.5, pointHitRadius: 8,
            borderDash: series.dashed ? [6, 4] : []
          };
        })
      }
    };
  }

  const figures = Array.prototype.map.call(document.querySelectorAll("figure.chart"), function (figure) {
    const spec = JSON.parse(figure.querySelector("script").textContent);
    if (spec.kind === "bars" && spec.horizontal) {
      const rows = spec.labels.length * (spec.stacked ? 1 : spec.series.length);
      figure.querySelector(".canvas").style.height = Math.max(140, 70 + 24 * rows) + "px";
    }
    return { canvas: figure.querySelector("canvas"), spec: spec, chart: null };
  });
  function drawCharts() {
    if (typeof Chart === "undefined") return;
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    figures.forEach(function (figure) {
      if (figure.chart) figure.chart.destroy();
      figure.chart = new Chart(figure.canvas, figure.spec.kind === "bars" ? barConfig(figure.spec) : lineConfig(figure.spec));
    });
  }
  function refresh() {
    showTheme();
    drawCharts();
  }
  if (button) {
    button.addEventListener("click", function () {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      refresh();
    });
  }
  dark.addEventListener("change", refresh);

  // On paper everything is open and light.
  let closed = [];
  window.addEventListener("beforeprint", function () {
    closed = Array.prototype.filter.call(document.querySelectorAll("details"), function (item) { return !item.open; });
    closed.forEach(function (item) { item.open = true; });
    root.dataset.theme = "light";
    drawCharts();
    figures.forEach(function (figure) { if (figure.chart) figure.chart.resize(); });
  });
  window.addEventListener("afterprint", function () {
    closed.forEach(function (item) { item.open = false; });
    refresh();
  });

  // Tables: a click on a title sorts, text in the field filters.
  document.querySelectorAll(".table").forEach(function (box) {
    const body = box.querySelector("tbody");
    const rows = Array.from(body.rows);
    const heads = Array.from(box.querySelectorAll("th"));
    const count = box.querySelector(".count");
    const field = box.querySelector("input");
    function key(row, column) {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
    }
    function compare(left, right) {
      const numbers = typeof left === "number" && typeof right === "number";
      return numbers ? left - right : String(left).localeCompare(String(right), undefined, { numeric: true });
    }
    heads.forEach(function (head, column) {
      head.querySelector("button").addEventListener("click", function () {
        const numeric = head.classList.contains("number");
        const now = head.getAttribute("aria-sort");
        const order = now === null ? (numeric ? "descending" : "ascending") : now === "ascending" ? "descending" : "ascending";
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const sorted = rows.map(function (row, place) {
          return { row: row, place: place, missing: row.cells[column].querySelector(".missing") !== null, key: key(row, column) };
        });
        sorted.sort(function (a, b) {
          if (a.missing !== b.missing) return a.missing ? 1 : -1;
          return sign * compare(a.key, b.key) || a.place - b.place;
        });
        sorted.forEach(function (item) { body.appendChild(item.row); });
      });
    });
    if (!field) return;
    field.addEventListener("input", function () {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach(function (row) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every(function (word) { return text.includes(word); });
        if (!row.hidden) shown += 1;
      });
      count.textContent = shown === rows.length ? rows.length + " rows" : shown + " of " + rows.length + " rows";
    });
  });

  // A link to a closed section opens it.
  document.querySelectorAll(".top nav a").forEach(function (link) {
    link.addEventListener("click", function () {
      const target = document.querySelector(link.getAttribute("href"));
      if (target) target.open = true;
    });
  });

  refresh();
})();
