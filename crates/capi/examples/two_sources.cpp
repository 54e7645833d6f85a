// The low level: a call waits for the first of two sources, of which the application knows one. It looks into the wait
// frame, recognises its own, hands the wait to raddle, and resumes the call where it wants to.

#include <raddle.hpp>

#include <cstdio>
#include <cstdlib>

static void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

// The application's source: it remembers who asked.
class Mine : public raddle::AsyncWaitSource {
 public:
  void when_ready(std::function<void(raddle::Status)> callback) noexcept override { callbacks.push_back(std::move(callback)); }
  const char* name() const noexcept override { return "mine"; }
  std::vector<std::function<void(raddle::Status)>> callbacks;
};

// What the callback of the wait leaves for the application's own loop.
struct Woken {
  bool is_woken = false;
  raddle::Status status;
  size_t index = 0;
};

static void wake(void* data, const raddle_state_t*, const raddle_status_t* status, size_t index) {
  *static_cast<Woken*>(data) = {true, raddle::Status::borrow(status), index};
}

int main(int argc, char** argv) {
  expect(argc == 2, "the argument is the folder of the programs");
  raddle::Runtime runtime = raddle::Runtime::hosted();
  raddle::Session session = runtime.session({raddle::Module::from_file(std::string(argv[1]) + "/sources.vmfb")});
  raddle::Function any = session.function("any");
  for (int first = 0; first < 2; first++) {
    auto mine = std::make_shared<Mine>();
    raddle::Event unknown = raddle::Event::manual();
    raddle::Values arguments = {unknown.source().ref(), raddle::Source(mine).ref()};

    raddle_state_t* state = nullptr;
    uint32_t outcome = 0;
    raddle::check(raddle_begin(any.get(), &arguments[0].raw(), 2, &state, &outcome));
    expect(outcome == RADDLE_OUTCOME_WAITING, "the call waits");

    raddle_wait_frame_t* frame = nullptr;
    raddle::check(raddle_state_wait_frame(state, &frame));
    expect(raddle_wait_frame_condition(frame) == RADDLE_CONDITION_KIND_ANY, "for the first");
    int known = -1;
    for (size_t i = 0; i < raddle_wait_frame_source_count(frame); i++) {
      raddle::Source source;
      raddle::check(raddle_wait_frame_source(frame, i, source.out()));
      if (source.application() == mine.get()) known = int(i);
    }
    expect(known == 1, "the application recognises its own source, and only that");

    // raddle watches both, the known one by the application's own `when_ready`.
    Woken woken;
    raddle::check(raddle_wait_invoke_async(state, frame, RADDLE_NEVER, wake, &woken));
    raddle_wait_frame_release(frame);
    while (runtime.turn()) {
    }
    expect(!woken.is_woken && mine->callbacks.size() == 1, "the wait is armed");
    if (first == 0) {
      unknown.set();
    } else {
      mine->callbacks[0]({});
    }
    expect(!woken.is_woken, "a signaller only enqueues");
    while (runtime.turn()) {
    }
    expect(woken.is_woken && woken.status.ok() && woken.index == size_t(first), "the first one ended the wait");

    // Resumed here, not in the callback.
    raddle::check(raddle_resume(state, nullptr, &outcome));
    raddle_value_t result;
    raddle::check(raddle_state_results(state, &result, 1, nullptr));
    expect(outcome == RADDLE_OUTCOME_FINISHED && result.of.i32 == first, "the program knows which one it was");
    raddle::check(raddle_end(state));
    raddle_state_release(state);
    // Late, and twice: harmless.
    mine->callbacks[0]({});
  }
  std::puts("two_sources: ok");
}
