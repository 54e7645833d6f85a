// Taskflow: graphs that are run again. Its headers are searched for in BENCH_INCLUDE, as Debian has none.
#include <taskflow/algorithm/for_each.hpp>
#include <taskflow/taskflow.hpp>

#include "peer.hpp"

using bench::Round;

namespace {

struct Peer {
  tf::Executor& executor;

  std::optional<Round> run(std::shared_ptr<tf::Taskflow> flow, size_t times = 1) {
    return [this, flow, times] { executor.run_n(*flow, times).wait(); };
  }

  template <class Body>
  std::optional<Round> chain(int count) {
    auto flow = std::make_shared<tf::Taskflow>();
    tf::Task before;
    for (int i = 0; i < count; i++) {
      tf::Task task = flow->emplace([i] { Body::run(i); });
      if (i > 0) before.precede(task);
      before = task;
    }
    return run(flow);
  }

  template <class Body>
  static std::shared_ptr<tf::Taskflow> fan_of(int count) {
    auto flow = std::make_shared<tf::Taskflow>();
    tf::Task first = flow->emplace([] {}), last = flow->emplace([] {});
    for (int i = 0; i < count; i++) {
      tf::Task task = flow->emplace([i] { Body::run(i); });
      first.precede(task);
      task.precede(last);
    }
    return flow;
  }

  template <class Body>
  std::optional<Round> fan(int count) {
    return run(fan_of<Body>(count));
  }

  template <class Body>
  std::optional<Round> rounds(int width) {
    return run(fan_of<Body>(width), bench::kRounds);
  }

  template <class Body>
  std::optional<Round> wavefront(int side) {
    auto flow = std::make_shared<tf::Taskflow>();
    std::vector<tf::Task> tasks;
    for (int at = 0; at < side * side; at++) {
      tasks.push_back(flow->emplace([at] { Body::run(at); }));
      if (at >= side) tasks[at - side].precede(tasks[at]);
      if (at % side != 0) tasks[at - 1].precede(tasks[at]);
    }
    return run(flow);
  }

  template <class Body>
  std::optional<Round> outside(int) {
    auto flow = std::make_shared<tf::Taskflow>();
    flow->emplace([] { Body::run(0); });
    return run(flow);
  }

  template <class Body>
  std::optional<Round> dispatch(int tiles) {
    auto flow = std::make_shared<tf::Taskflow>();
    flow->for_each_index(0, tiles, 1, [](int tile) { Body::run(tile); });
    return run(flow, bench::kRounds);
  }
};

}  // namespace

int main(int count, char** words) {
  bench::Request request = bench::parse(count, words);
  tf::Executor executor(static_cast<size_t>(request.workers));
  Peer peer{executor};
  bench::serve_graphs(request, tf::version(), peer);
}
