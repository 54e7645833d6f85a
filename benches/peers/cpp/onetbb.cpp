// oneTBB: flow graphs that are run again (form `flow`), or tasks spawned into groups and parallel loops (`group`).
#include <oneapi/tbb.h>

#include <future>

#include "peer.hpp"

using bench::Round;
using Node = tbb::flow::continue_node<tbb::flow::continue_msg>;
using Message = tbb::flow::continue_msg;

namespace {

// A flow graph, whose first node starts it.
struct Flow {
  tbb::flow::graph graph;
  std::vector<std::unique_ptr<Node>> nodes;

  template <class F>
  Node& add(F body) {
    nodes.push_back(std::make_unique<Node>(graph, body));
    return *nodes.back();
  }
};

struct Peer {
  tbb::task_arena& arena;
  int workers;
  bool is_flow;

  // Builds within the arena, so that the graph's tasks run there.
  std::optional<Round> flow(std::function<void(Flow&)> build) {
    auto flow = std::make_shared<std::unique_ptr<Flow>>();
    arena.execute([&] {
      *flow = std::make_unique<Flow>();
      build(**flow);
    });
    return [this, flow] {
      arena.execute([&] {
        (*flow)->nodes[0]->try_put(Message());
        (*flow)->graph.wait_for_all();
      });
    };
  }

  template <class Body>
  static void link(tbb::task_group& group, long at, long count) {
    Body::run(at);
    if (at + 1 < count) group.run([&group, at, count] { link<Body>(group, at + 1, count); });
  }

  template <class Body>
  std::optional<Round> chain(int count) {
    if (is_flow)
      return flow([count](Flow& flow) {
        for (int i = 0; i < count; i++) {
          Node& node = flow.add([i](const Message&) { Body::run(i); });
          if (i > 0) tbb::flow::make_edge(*flow.nodes[i - 1], node);
        }
      });
    return [this, count] {
      arena.execute([count] {
        tbb::task_group group;
        group.run([&group, count] { link<Body>(group, 0, count); });
        group.wait();
      });
    };
  }

  template <class Body>
  static void at_once(int count) {
    tbb::task_group group;
    for (int i = 0; i < count; i++) group.run([i] { Body::run(i); });
    group.wait();
  }

  template <class Body>
  std::optional<Round> fan(int count) {
    if (is_flow)
      return flow([count](Flow& flow) {
        Node& first = flow.add([](const Message&) {});
        Node& last = flow.add([](const Message&) {});
        for (int i = 0; i < count; i++) {
          Node& node = flow.add([i](const Message&) { Body::run(i); });
          tbb::flow::make_edge(first, node);
          tbb::flow::make_edge(node, last);
        }
      });
    return [this, count] { arena.execute([count] { at_once<Body>(count); }); };
  }

  template <class Body>
  std::optional<Round> rounds(int width) {
    if (is_flow) return std::nullopt;
    return [this, width] {
      arena.execute([width] {
        for (int i = 0; i < bench::kRounds; i++) at_once<Body>(width);
      });
    };
  }

  template <class Body>
  static void wave(tbb::task_group& group, bench::Square& square, int at) {
    Body::run(at);
    square.next(at, [&](int next) { group.run([&group, &square, next] { wave<Body>(group, square, next); }); });
  }

  template <class Body>
  std::optional<Round> wavefront(int side) {
    if (is_flow)
      return flow([side](Flow& flow) {
        for (int at = 0; at < side * side; at++) {
          Node& node = flow.add([at](const Message&) { Body::run(at); });
          if (at >= side) tbb::flow::make_edge(*flow.nodes[at - side], node);
          if (at % side != 0) tbb::flow::make_edge(*flow.nodes[at - 1], node);
        }
      });
    auto square = std::make_shared<bench::Square>(side);
    return [this, square] {
      square->reset();
      arena.execute([&] {
        tbb::task_group group;
        group.run([&] { wave<Body>(group, *square, 0); });
        group.wait();
      });
    };
  }

  template <class Body>
  std::optional<Round> outside(int) {
    if (is_flow) return std::nullopt;
    return [this] {
      std::promise<void> done;
      arena.enqueue([&done] {
        Body::run(0);
        done.set_value();
      });
      done.get_future().wait();
    };
  }

  template <class Body>
  std::optional<Round> dispatch(int tiles) {
    if (is_flow) return std::nullopt;
    return [this, tiles] {
      arena.execute([tiles] {
        for (int i = 0; i < bench::kRounds; i++)
          tbb::parallel_for(tbb::blocked_range<int>(0, tiles, 1), [](const tbb::blocked_range<int>& range) {
            for (int tile = range.begin(); tile < range.end(); tile++) Body::run(tile);
          });
      });
    };
  }
};

}  // namespace

int main(int count, char** words) {
  bench::Request request = bench::parse(count, words);
  // The caller is one of the workers, except where it stands outside.
  bool is_outside = request.name == "graphs/outside";
  int threads = request.workers + (is_outside ? 1 : 0);
  tbb::global_control control(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(request.workers, is_outside ? 0 : 1);
  Peer peer{arena, request.workers, request.form == "flow"};
  bench::serve_graphs(request, TBB_VERSION_STRING, peer);
}
