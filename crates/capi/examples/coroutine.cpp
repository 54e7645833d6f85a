// C++20: invocations awaited by coroutines, which go on on the thread that turns the runtime.

#include <raddle.hpp>

#include <cstdio>
#include <cstdlib>

static void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

// The smallest coroutine type: it runs by itself, and ends the process on an exception.
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

static Task two_calls(raddle::Session session, raddle::Event event, int32_t& sum, bool& has_failed) {
  raddle::Function until = session.function("until"), add = session.function("add");
  // Named, not in braces: g++ 12 stumbles over lists of initialisers next to a co_await.
  raddle::Values arguments(2);
  arguments[0] = event.ref();
  arguments[1] = 40;
  raddle::Values first = co_await until.async(arguments);
  arguments[0] = first[0];
  arguments[1] = 2;
  raddle::Values second = co_await add.async(arguments);
  sum = second[0].i32();
  try {
    co_await add.async(first);
  } catch (const raddle::Error& error) {
    has_failed = error.code() == RADDLE_CODE_INVALID_ARGUMENT;
  }
}

int main(int argc, char** argv) {
  expect(argc == 2, "the argument is the folder of the programs");
  raddle::Runtime runtime = raddle::Runtime::hosted();
  raddle::Session session = runtime.session({raddle::Module::from_file(std::string(argv[1]) + "/waits.vmfb")});
  raddle::Event event = raddle::Event::manual();
  int32_t sum = 0;
  bool has_failed = false;
  two_calls(session, event, sum, has_failed);
  auto turn = [&] {
    while (runtime.turn()) {
    }
  };
  turn();
  expect(sum == 0 && session.pending() == 1, "the coroutine waits for its first call");
  event.set();
  turn();
  expect(sum == 42 && has_failed, "it has gone on, through both calls and a failure");
  std::puts("coroutine: ok");
}
