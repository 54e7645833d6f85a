// What programs of C++ share: the same command line, rounds and line of JSON as bench-harness.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace bench {

constexpr int kRounds = 1000;

struct Request {
  std::string name;  // `problem/case`
  std::string form;
  int workers = 1;
  int size = 1;
  int samples = 1;
};

[[noreturn]] inline void fail(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::exit(2);
}

inline Request parse(int count, char** words) {
  if (count < 2) fail("no case: the first word is `problem/case`");
  Request request;
  request.name = words[1];
  for (int i = 2; i < count; i++) {
    std::string word = words[i];
    auto at = word.find('=');
    if (at == std::string::npos) fail("`" + word + "` is not `name=value`");
    std::string name = word.substr(0, at), value = word.substr(at + 1);
    if (name == "form") {
      request.form = value;
      continue;
    }
    char* end = nullptr;
    long number = std::strtol(value.c_str(), &end, 10);
    if (value.empty() || *end != 0 || number < 0) fail("`" + word + "`: not a number");
    if (name == "workers") request.workers = static_cast<int>(number);
    else if (name == "size") request.size = static_cast<int>(number);
    else if (name == "samples") request.samples = static_cast<int>(number);
    else fail("`" + name + "`: not one of form, workers, size, samples");
  }
  if (request.samples == 0) fail("samples=0 measures nothing");
  return request;
}

// What a task does: nothing that the optimiser could drop, or a count.
struct Empty {
  static void run(long index) { asm volatile("" : : "r"(index) : "memory"); }
};

inline std::atomic<long> ran{0};

struct Counted {
  static void run(long index) {
    Empty::run(index);
    ran.fetch_add(1, std::memory_order_relaxed);
  }
};

using Round = std::function<void()>;

[[noreturn]] inline void answer(const std::string& version, const std::vector<double>& samples) {
  std::printf("{\"version\":\"%s\",\"metrics\":{\"time\":[", version.c_str());
  for (size_t i = 0; i < samples.size(); i++) std::printf("%s%.6f", i ? "," : "", samples[i]);
  std::printf("]}}\n");
  std::fflush(stdout);
  std::_Exit(0);
}

[[noreturn]] inline void absent(const std::string& version, const std::string& reason) {
  std::printf("{\"version\":\"%s\",\"absent\":\"%s\"}\n", version.c_str(), reason.c_str());
  std::fflush(stdout);
  std::_Exit(0);
}

inline double elapsed_ns(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

// Counters with which a peer without a graph makes a wavefront by hand.
class Square {
 public:
  explicit Square(int side) : side_(side), left_(static_cast<size_t>(side) * side) { reset(); }
  void reset() {
    for (int at = 0; at < side_ * side_; at++)
      left_[at].store((at >= side_) + (at % side_ != 0), std::memory_order_relaxed);
  }
  template <class F>
  void next(int at, F ready) {
    if (at + side_ < side_ * side_ && left_[at + side_].fetch_sub(1, std::memory_order_acq_rel) == 1) ready(at + side_);
    if ((at + 1) % side_ != 0 && left_[at + 1].fetch_sub(1, std::memory_order_acq_rel) == 1) ready(at + 1);
  }

 private:
  int side_;
  std::vector<std::atomic<unsigned char>> left_;
};

// A peer has `template <class Body> std::optional<Round> chain(int)`, and so on.
template <class Peer>
[[noreturn]] void serve_graphs(const Request& request, const std::string& version, Peer& peer) {
  const int size = request.size;
  double units = 1;
  long tasks = 1;
  bool is_spaced = false;
  std::function<std::optional<Round>(bool)> make;
#define BENCH_CASE(CASE, ARGUMENT)                                                    \
  make = [&peer, size](bool is_counted) -> std::optional<Round> {                     \
    (void)size;                                                                       \
    return is_counted ? peer.template CASE<Counted>(ARGUMENT) : peer.template CASE<Empty>(ARGUMENT); \
  }
  if (request.name == "graphs/chain") {
    BENCH_CASE(chain, size);
    units = tasks = size;
  } else if (request.name == "graphs/fan") {
    BENCH_CASE(fan, size);
    units = tasks = size;
  } else if (request.name == "graphs/rounds") {
    BENCH_CASE(rounds, size);
    units = kRounds * 1e3;
    tasks = static_cast<long>(kRounds) * size;
  } else if (request.name == "graphs/wavefront") {
    BENCH_CASE(wavefront, size);
    units = tasks = static_cast<long>(size) * size;
  } else if (request.name == "graphs/outside") {
    BENCH_CASE(outside, 1);
    units = 1e3;
    is_spaced = true;
  } else if (request.name == "graphs/dispatch") {
    BENCH_CASE(dispatch, size);
    units = kRounds * 1e3;
    tasks = static_cast<long>(kRounds) * size;
  } else {
    absent(version, "no case `" + request.name + "`");
  }
#undef BENCH_CASE
  const std::string nothing = "it has no idiom of its own for this";
  {
    // Gone before what is timed is built: graphs can be large.
    std::optional<Round> counted = make(true);
    if (!counted) absent(version, nothing);
    for (int i = 0; i < 2; i++) {
      ran = 0;
      (*counted)();
      if (ran != tasks) fail("tasks that ran: " + std::to_string(ran) + ", asked for: " + std::to_string(tasks));
    }
  }
  std::optional<Round> empty = make(false);
  if (!empty) absent(version, nothing);
  std::vector<double> samples;
  const int warm_ups = is_spaced ? 20 : 1;
  for (int i = 0; i < warm_ups + request.samples; i++) {
    if (is_spaced) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    auto start = std::chrono::steady_clock::now();
    (*empty)();
    double took = elapsed_ns(start) / units;
    if (i >= warm_ups) samples.push_back(took);
  }
  answer(version, samples);
}

}  // namespace bench
