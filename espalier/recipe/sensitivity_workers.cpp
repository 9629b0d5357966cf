#include "espalier/recipe/sensitivity_workers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/check.h"
#include "espalier/recipe/csv_line.h"

namespace espalier::recipe {
namespace {

constexpr std::string_view kHeader = "header ";
constexpr std::string_view kPoint = "point ";
constexpr std::string_view kDone = "done";

[[noreturn]] void unexpected(const std::string& line) {
  throw base::InternalError(fmt::format("a worker process answered '{}'", line));
}

/// Exit codes above it are signals (process::Child::wait).
constexpr int kSignalled = 128;

}  // namespace

SensitivityWorkers::SensitivityWorkers(const std::vector<std::string>& command, int count) {
  for (int index = 0; index < count; ++index) children_.add(command);
  for (int ready = 0; ready < count; ++ready) {
    const process::ChildEvent event = next();
    if (!event.line.starts_with(kHeader)) unexpected(event.line);
    const std::string text = unescape_line(event.line.substr(kHeader.size()), "a worker process");
    const SensitivityHeader header = parse_sensitivities(text, "a worker process").header;
    if (ready > 0) check_same_measurement(header, header_, "a worker process");
    header_ = header;
  }
}

process::ChildEvent SensitivityWorkers::next() {
  process::ChildEvent event = children_.next();
  if (!event.ended) return event;
  const int code = children_[event.child].wait();
  if (code > kSignalled) {
    throw base::UserError({.what = "a worker process was killed",
                           .got = fmt::format("signal {}", code - kSignalled),
                           .hint = "9 is what the system sends where memory is short: try fewer "
                                   "--workers or less --cache-mb; --resume goes on from here"});
  }
  throw base::UserError({.what = "a worker process failed",
                         .got = fmt::format("exit code {}", code),
                         .hint = "its own message stands above; --resume goes on from here"});
}

void SensitivityWorkers::run(const std::vector<OpenTrials>& work,
                             const std::function<void(const SensitivityPoint&)>& found) {
  std::size_t given = 0;
  std::size_t busy = 0;
  const auto give = [&](std::size_t worker) {
    if (given == work.size()) return;
    const OpenTrials& open = work[given++];
    children_[worker].send(fmt::format("{} {}", open.group, fmt::join(open.trials, " ")));
    ++busy;
  };
  for (std::size_t worker = 0; worker < children_.size(); ++worker) give(worker);
  while (busy > 0) {
    const process::ChildEvent event = next();
    if (event.line.starts_with(kPoint)) {
      found(parse_point(event.line.substr(kPoint.size()), "a worker process"));
    } else if (event.line == kDone) {
      --busy;
      give(event.child);
    } else {
      unexpected(event.line);
    }
  }
  for (std::size_t worker = 0; worker < children_.size(); ++worker) children_[worker].finish();
}

}  // namespace espalier::recipe
