#include "espalier/quant/calibrate.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "espalier/analysis/model_id.h"
#include "espalier/base/check.h"
#include "espalier/base/interrupt.h"
#include "espalier/exec/program.h"
#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"
#include "espalier/quant/micro_batches.h"
#include "espalier/quant/simd/channel_sums.h"

namespace espalier::quant {
namespace {

/// What is asked of one value.
struct Watch {
  std::string value;
  bool moments = false;
  bool channels_last_axis = false;  ///< a matrix product's input: channels in the last dimension
};

/// Floating point sums of one micro-batch, which are added in the order of the sequence.
struct Sums {
  double minima = 0;
  double maxima = 0;
  double magnitudes = 0;
  std::size_t samples = 0;
  std::vector<double> channel;
  std::vector<double> channel_square;
  std::uint64_t rows = 0;  ///< elements of one channel
};

void add(Sums& total, const Sums& part) {
  total.minima += part.minima;
  total.maxima += part.maxima;
  total.magnitudes += part.magnitudes;
  total.samples += part.samples;
  total.rows += part.rows;
  if (total.channel.empty()) {
    total.channel = part.channel;
    total.channel_square = part.channel_square;
    return;
  }
  base::check(part.channel.empty() || part.channel.size() == total.channel.size(),
              "a layer's input has {} channels in one batch and {} in another",
              total.channel.size(), part.channel.size());
  for (std::size_t index = 0; index < part.channel.size(); ++index) {
    total.channel[index] += part.channel[index];
    total.channel_square[index] += part.channel_square[index];
  }
}

/// Adds what micro-batches found in the order of the sequence, whoever finishes first; keeps nobody
/// further ahead than `window` micro-batches, so that memory is bounded.
class InOrder {
 public:
  InOrder(std::size_t values, std::size_t window) : totals_(values), window_(window) {}

  /// Blocks until the micro-batch may be worked on. False after stop().
  bool wait_for_turn(std::size_t index) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return stopped_ || index < next_ + window_; });
    return !stopped_;
  }

  /// Returns the samples added up so far.
  std::size_t put(std::size_t index, std::vector<Sums> sums) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(index, std::move(sums));
    for (auto first = waiting_.begin(); first != waiting_.end() && first->first == next_;
         first = waiting_.begin()) {
      for (std::size_t value = 0; value < totals_.size(); ++value) {
        add(totals_[value], first->second[value]);
      }
      waiting_.erase(first);
      ++next_;
    }
    ready_.notify_all();
    return totals_.empty() ? 0 : totals_.front().samples;
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    ready_.notify_all();
  }

  [[nodiscard]] const std::vector<Sums>& totals() const { return totals_; }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::map<std::size_t, std::vector<Sums>> waiting_;
  std::vector<Sums> totals_;
  std::size_t window_;
  std::size_t next_ = 0;
  bool stopped_ = false;
};

std::span<const float> elements(const Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

/// Samples one after the other without gaps, in any layout inside a sample.
Tensor by_sample(const Tensor& tensor) {
  const Tensor floats = tensor.scalar_type() == at::kFloat ? tensor : tensor.to(at::kFloat);
  const bool dense = floats.is_non_overlapping_and_dense() &&
                     (floats.dim() == 0 || floats.numel() == 0 ||
                      floats.stride(0) * floats.size(0) == floats.numel());
  return dense ? floats : floats.contiguous();
}

/// The channels of a layer's input as the columns of a row-major matrix.
Tensor channel_rows(const Tensor& tensor, bool last_axis) {
  if (last_axis || tensor.dim() < 3) return tensor.contiguous();
  return tensor.movedim(1, -1).contiguous();  // no copy for channels-last tensors
}

/// One thread's histograms and the work on a micro-batch.
class Worker {
 public:
  Worker(const exec::Program& program, const std::vector<Watch>& watches,
         const std::map<std::string, std::size_t, std::less<>>& places)
      : program_(program), watches_(watches), places_(places), histograms_(watches.size()) {}

  std::vector<Sums> run(const MicroBatches::Item& item) {
    sums_.assign(watches_.size(), {});
    samples_ = item.samples;
    (void)program_.run(item.inputs, [this](std::string_view value, const Tensor& tensor) {
      if (const auto place = places_.find(value); place != places_.end()) {
        observe(place->second, tensor);
      }
    });
    for (std::size_t index = 0; index < watches_.size(); ++index) {
      base::invariant(sums_[index].samples == samples_, "value '{}' was not seen",
                      watches_[index].value);
    }
    return std::move(sums_);
  }

  [[nodiscard]] const std::vector<Histogram>& histograms() const { return histograms_; }

 private:
  void observe(std::size_t index, const Tensor& tensor) {
    base::check(at::isFloatingType(tensor.scalar_type()),
                "value '{}' cannot be calibrated: got elements of type {}, expected floating point",
                watches_[index].value, at::toString(tensor.scalar_type()));
    Sums& sums = sums_[index];
    sums.samples = samples_;
    if (tensor.numel() == 0) return;
    const Tensor floats = by_sample(tensor);
    // A value without a sample dimension counts as one sample that stands for all of them.
    const bool sliced = floats.dim() > 0 && floats.size(0) == static_cast<std::int64_t>(samples_);
    std::vector<Histogram::Extremes> slices(sliced ? samples_ : 1);
    histograms_[index].add(elements(floats), slices);
    const double weight = sliced ? 1.0 : static_cast<double>(samples_);
    for (const Histogram::Extremes& slice : slices) {
      if (slice.low > slice.high) continue;
      sums.minima += weight * static_cast<double>(slice.low);
      sums.maxima += weight * static_cast<double>(slice.high);
      sums.magnitudes += weight * static_cast<double>(std::max(-slice.low, slice.high));
    }
    if (watches_[index].moments && floats.dim() >= 2) add_moments(index, floats);
  }

  void add_moments(std::size_t index, const Tensor& floats) {
    const Tensor rows = channel_rows(floats, watches_[index].channels_last_axis);
    const auto channels = static_cast<std::size_t>(rows.size(-1));
    Sums& sums = sums_[index];
    sums.channel.assign(channels, 0.0);
    sums.channel_square.assign(channels, 0.0);
    sums.rows = static_cast<std::uint64_t>(rows.numel()) / channels;
    add_channel_sums(elements(rows), sums.channel, sums.channel_square);
  }

  const exec::Program& program_;
  const std::vector<Watch>& watches_;
  const std::map<std::string, std::size_t, std::less<>>& places_;
  std::vector<Histogram> histograms_;
  std::vector<Sums> sums_;
  std::size_t samples_ = 0;
};

std::vector<Watch> watches_of(const ir::Graph& graph, std::span<const std::string> values,
                              bool moments) {
  std::vector<Watch> watches;
  std::set<std::string, std::less<>> seen;
  for (const std::string& name : values) {
    const ir::Value* value = graph.find_value(name);
    base::check(value != nullptr && !value->is_initializer(),
                "cannot calibrate the value '{}': got {}, expected an input or a computed value",
                name, value == nullptr ? "no value of that name" : "a constant");
    if (!seen.insert(name).second) continue;
    Watch watch{.value = name};
    for (const ir::Use& use : value->uses()) {
      const auto port = ops::weight_port(*use.node);
      if (!moments || !port || *port == use.index) continue;
      const ops::OpFacts* facts = ops::find(*use.node);
      if (!ops::contains(facts->data, use.index)) continue;
      watch.moments = true;
      watch.channels_last_axis = facts->kind == ops::OpKind::MatMul;
    }
    watches.push_back(std::move(watch));
  }
  return watches;
}

void check_finite(const std::string& value, const Histogram& histogram) {
  if (histogram.nans() + histogram.infinities() == 0) return;
  throw base::UserError(
      {.what = "calibration found values that are not finite",
       .where = fmt::format("value '{}'", value),
       .got = fmt::format("{} NaN and {} infinities among {} values", histogram.nans(),
                          histogram.infinities(),
                          histogram.finite() + histogram.nans() + histogram.infinities()),
       .expected = "finite numbers",
       .hint = "check the weights and the preprocessing of the calibration data"});
}

/// The workers of one calibration.
class Calibration {
 public:
  Calibration(const ir::Graph& graph, std::span<const std::string> values, const BatchSource& next,
              const CalibrationOptions& options)
      : options_(options),
        watches_(watches_of(graph, values, options.channel_moments)),
        program_(compile(graph)),
        batches_(next, options.samples, options.micro_batch),
        order_(watches_.size(), 2 * static_cast<std::size_t>(std::max(options.threads, 1))) {
    for (std::size_t index = 0; index < watches_.size(); ++index) {
      places_[watches_[index].value] = index;
    }
  }

  Statistics run(const ir::Graph& graph) {
    const int threads_before = at::get_num_threads();
    std::vector<Worker> workers(static_cast<std::size_t>(std::max(options_.threads, 1)),
                                Worker(program_, watches_, places_));
    std::vector<std::thread> threads;
    threads.reserve(workers.size());
    for (Worker& worker : workers) threads.emplace_back([this, &worker] { work(worker); });
    for (std::thread& thread : threads) thread.join();
    at::set_num_threads(threads_before);
    if (failure_) std::rethrow_exception(failure_);
    return gather(graph, workers);
  }

 private:
  [[nodiscard]] exec::Program compile(const ir::Graph& graph) const {
    exec::CompileOptions compile_options;
    for (const Watch& watch : watches_) compile_options.taps.push_back(watch.value);
    return exec::Program::compile(graph, compile_options);
  }

  void work(Worker& worker) {
    at::set_num_threads(1);
    try {
      while (const auto item = batches_.take()) {
        base::stop_if_interrupted();
        if (!order_.wait_for_turn(item->index)) return;
        const std::size_t done = order_.put(item->index, worker.run(*item));
        report(done);
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      order_.stop();
    }
  }

  void report(std::size_t done) {
    const std::lock_guard lock(mutex_);
    if (!options_.progress || done <= reported_) return;
    reported_ = done;
    options_.progress(done);
  }

  [[nodiscard]] Statistics gather(const ir::Graph& graph,
                                  const std::vector<Worker>& workers) const {
    Statistics statistics{.model_id = analysis::model_id(graph),
                          .samples = 0,
                          .micro_batch = options_.micro_batch,
                          .values = {},
                          .channels = {}};
    for (std::size_t index = 0; index < watches_.size(); ++index) {
      const Sums& sums = order_.totals()[index];
      base::check(sums.samples > 0, "cannot calibrate: got no samples, expected at least one");
      statistics.samples = sums.samples;
      ValueStatistics& value = statistics.values[watches_[index].value];
      for (const Worker& worker : workers) value.histogram.merge(worker.histograms()[index]);
      check_finite(watches_[index].value, value.histogram);
      value.sum_of_minima = sums.minima;
      value.sum_of_maxima = sums.maxima;
      value.sum_of_magnitudes = sums.magnitudes;
      value.samples = sums.samples;
      if (sums.rows > 0) statistics.channels[watches_[index].value] = moments(sums);
    }
    return statistics;
  }

  static ChannelMoments moments(const Sums& sums) {
    ChannelMoments result;
    const auto rows = static_cast<double>(sums.rows);
    for (const double sum : sums.channel) result.mean.push_back(sum / rows);
    for (const double sum : sums.channel_square) result.mean_square.push_back(sum / rows);
    return result;
  }

  const CalibrationOptions& options_;
  std::vector<Watch> watches_;
  std::map<std::string, std::size_t, std::less<>> places_;
  exec::Program program_;
  MicroBatches batches_;
  InOrder order_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::size_t reported_ = 0;
};

}  // namespace

void merge_into(ValueStatistics& statistics, const ValueStatistics& more) {
  statistics.histogram.merge(more.histogram);
  statistics.sum_of_minima += more.sum_of_minima;
  statistics.sum_of_maxima += more.sum_of_maxima;
  statistics.sum_of_magnitudes += more.sum_of_magnitudes;
  statistics.samples += more.samples;
}

Statistics collect(const ir::Graph& graph, std::span<const std::string> values,
                   const BatchSource& next, const CalibrationOptions& options) {
  return Calibration(graph, values, next, options).run(graph);
}

Statistics merge(const Statistics& first, const Statistics& second) {
  base::check(first.model_id == second.model_id,
              "cannot merge statistics of different models: got ids '{}' and '{}'", first.model_id,
              second.model_id);
  Statistics merged = first;
  merged.samples += second.samples;
  if (first.micro_batch != second.micro_batch) merged.micro_batch = 0;
  for (const auto& [name, value] : second.values) {
    const auto [place, fresh] = merged.values.try_emplace(name, value);
    if (!fresh) merge_into(place->second, value);
  }
  const double share = merged.samples == 0 ? 0.0
                                           : static_cast<double>(second.samples) /
                                                 static_cast<double>(merged.samples);
  const auto blend = [share](std::vector<double>& into, const std::vector<double>& from) {
    for (std::size_t index = 0; index < into.size(); ++index) {
      into[index] += share * (from[index] - into[index]);
    }
  };
  for (const auto& [name, moments] : second.channels) {
    const auto [place, fresh] = merged.channels.try_emplace(name, moments);
    if (fresh) continue;
    base::check(place->second.mean.size() == moments.mean.size(),
                "cannot merge statistics: value '{}' has {} and {} channels", name,
                place->second.mean.size(), moments.mean.size());
    blend(place->second.mean, moments.mean);
    blend(place->second.mean_square, moments.mean_square);
  }
  return merged;
}

}  // namespace espalier::quant
