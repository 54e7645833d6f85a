// Exceptions: from functions of a native module they become statuses; from callbacks of C they end the process, with a
// message and never silently; a continuation of raddle.hpp is noexcept by contract.
#include <raddle.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

static void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

static std::string folder;

static void throwing_callback(void*, const raddle_status_t*, const raddle_value_t*, size_t) {
  throw std::runtime_error("out of a callback");
}

static void throw_in_a_callback() {
  raddle::Runtime runtime = raddle::Runtime::hosted();
  raddle::Session session = runtime.session({raddle::Module::from_file(folder + "/waits.vmfb")});
  raddle::Function add = session.function("add");
  raddle::Values arguments = {3, 4};
  raddle::check(raddle_invoke_async(add.get(), &arguments[0].raw(), 2, nullptr, throwing_callback, nullptr, nullptr));
  runtime.turn();
}

static void throwing_arm(void*, raddle_waker_t*) { throw 7; }

static void throw_in_arm() {
  raddle::Runtime runtime = raddle::Runtime::hosted();
  raddle::Session session = runtime.session({raddle::Module::from_file(folder + "/sources.vmfb")});
  raddle_source_table_t table{};
  table.struct_size = sizeof table;
  table.arm = throwing_arm;
  raddle::Source source;
  raddle::check(raddle_source_create(&table, nullptr, source.out()));
  session.function("until").async({source.ref(), 1});
  runtime.turn();
}

static void throw_in_a_continuation() {
  raddle::Runtime runtime = raddle::Runtime::hosted();
  raddle::Session session = runtime.session({raddle::Module::from_file(folder + "/waits.vmfb")});
  session.function("add").async({3, 4}).on_ready([](raddle::Result<raddle::Values>) { throw 7; });
  runtime.turn();
}

static void dies(void (*crime)(), const char* text) {
  int ends[2];
  expect(pipe(ends) == 0, "a pipe");
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    close(ends[1]);
    std::signal(SIGABRT, SIG_DFL);
    crime();
    _exit(0);
  }
  close(ends[1]);
  std::string said;
  char part[512];
  for (ssize_t got; (got = read(ends[0], part, sizeof part)) > 0;) said.append(part, size_t(got));
  close(ends[0]);
  int state = 0;
  waitpid(child, &state, 0);
  if (!WIFSIGNALED(state) || WTERMSIG(state) != SIGABRT || said.find(text) == std::string::npos) {
    std::fprintf(stderr, "expected an abort with `%s`, got state %d and: %s\n", text, state, said.c_str());
    std::exit(1);
  }
}

int main(int argc, char** argv) {
  expect(argc == 2, "the argument is the folder of the programs");
  folder = argv[1];
  dies(throw_in_a_callback, "exception");
  dies(throw_in_arm, "exception");
  dies(throw_in_a_continuation, "terminate called");

  // What the wrappers throw, and what they turn into a status.
  try {
    raddle::Module::from_file("no such file");
    expect(false, "it throws");
  } catch (const raddle::Error& error) {
    expect(error.code() == RADDLE_CODE_NOT_FOUND && std::strstr(error.what(), "no such file"), error.what());
  }
  raddle::Promise<int> promise;
  auto next = promise.future().then([](raddle::Result<int> result) -> int {
    expect(result.ok() && result.value() == 1, "it was completed with 1");
    throw raddle::Error(raddle::Status(RADDLE_CODE_ABORTED, "in then"));
  });
  auto last = next.then([](raddle::Result<int> result) { return result.status().code(); });
  promise.complete(1);
  expect(last.get() == RADDLE_CODE_ABORTED, "a failure goes along");
  // Values are counted like any other handle.
  raddle::Ref buffer;
  raddle::check(raddle_buffer_create(4, buffer.out()));
  raddle::Value value = buffer, copy = value;
  value = raddle::Value(int64_t(5));
  expect(copy.ref() == buffer && value.i64() == 5 && copy.ref().type_name() == "vm.buffer", "copies are equal");
  std::puts("throws: ok");
}
