#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace espalier::report {

/// Colour of a card, badge or notice by meaning.
enum class Tone { Neutral, Good, Warning, Bad };

/// One figure of the summary.
struct Card {
  std::string title = {};   ///< "Top-1 accuracy"
  std::string value = {};   ///< "91.84 %"
  std::string detail = {};  ///< "float 91.90 %, -0.06 points"
  Tone tone = Tone::Neutral;
};

struct Cards {
  std::vector<Card> cards = {};
};

/// Bars over categories; several series stand beside each other.
struct BarChart {
  struct Series {
    std::string name = {};
    std::vector<double> values = {};  ///< one a label; NaN leaves a gap
    std::vector<double> lows = {};    ///< where the bars start, one a label; empty: at 0
  };
  std::string title = {};
  std::vector<std::string> labels = {};
  std::vector<Series> series = {};
  std::string unit = {};  ///< of the values: "ms"
  std::string note = {};  ///< small text under the chart
  bool horizontal = false;
  bool stacked = false;
  bool logarithmic = false;
  /// A line across at this value, with its name: a bound that was asked for.
  std::optional<std::pair<double, std::string>> reference = std::nullopt;
};

/// Lines over a number axis: training curves, sensitivities.
struct LineChart {
  struct Series {
    std::string name = {};
    std::vector<double> x = {};
    std::vector<double> y = {};  ///< NaN breaks the line
    bool dashed = false;
  };
  std::string title = {};
  std::vector<Series> series = {};
  std::string x_title = {};
  std::string y_title = {};
  std::string note = {};
  bool logarithmic = false;  ///< y axis
};

/// A table that can be sorted by its columns and filtered by text.
struct DataTable {
  enum class Kind {
    Text,
    Code,    ///< text in a fixed-width face: names, shapes
    Number,  ///< right-aligned, sorted by value
    Bar,     ///< Number with a bar behind it, from 0 to the column's maximum
    Badge,   ///< short coloured text
  };
  struct Column {
    std::string title = {};
    Kind kind = Kind::Text;
    int digits = 2;         ///< after the point
    std::string hint = {};  ///< explanation shown on the title
  };
  /// Text (with a tone for badges) or a number; an empty cell is shown as a dash.
  struct Cell {
    Cell() = default;
    Cell(std::string value, Tone meaning = Tone::Neutral)  // NOLINT(google-explicit-constructor)
        : content(std::move(value)), tone(meaning) {}
    Cell(const char* value) : content(std::string(value)) {}  // NOLINT(google-explicit-constructor)
    Cell(double value, Tone meaning = Tone::Neutral)          // NOLINT(google-explicit-constructor)
        : content(value), tone(meaning) {}
    std::variant<std::monostate, std::string, double> content;
    Tone tone = Tone::Neutral;
  };
  std::string title = {};
  std::vector<Column> columns = {};
  std::vector<std::vector<Cell>> rows = {};
  std::string note = {};
};

/// Names with values, in two columns: versions, settings.
struct Facts {
  std::vector<std::pair<std::string, std::string>> facts = {};
};

/// A paragraph; line feeds are kept.
struct Text {
  std::string text = {};
};

/// A command line or file excerpt in a fixed-width face.
struct Code {
  std::string text = {};
};

/// Something the reader must see.
struct Notice {
  Tone tone = Tone::Warning;
  std::string text = {};
};

using Block = std::variant<Cards, BarChart, LineChart, DataTable, Facts, Text, Code, Notice>;

struct Section {
  std::string title = {};
  std::vector<Block> blocks =
      {};                    ///< charts that follow each other share a row where there is room
  std::string summary = {};  ///< one sentence under the title
  bool collapsed = false;
};

/// Passed or failed, with the reasons.
struct Verdict {
  bool passed = true;
  std::string text = {};                  ///< "INT8 model verified in both engines"
  std::vector<std::string> reasons = {};  ///< what failed
};

/// A whole report as values: nothing in it knows models or quantization.
struct Page {
  std::string title = {};
  std::string subtitle = {};
  std::optional<Verdict> verdict = std::nullopt;
  std::vector<Card> cards = {};
  std::vector<Section> sections = {};
  std::string footer = {};
};

/// One self-contained HTML file: style, script and Chart.js are inside, nothing is fetched; all
/// text is escaped; follows the reader's light or dark setting; can be printed. Throws
/// InternalError when a chart or table is inconsistent (series and labels of different length).
[[nodiscard]] std::string render_html(const Page& page);

}  // namespace espalier::report
