// A C++ program with a future library of its own: programs wait on the application's values, and the application's
// continuations run when programs are done. No thread is blocked, and none is added.
//
// The library is written small here: a value that is set once, and calls whoever asked to be called then.
// tfrt::AsyncValue and PjRtFuture have the same two operations.

#include <raddle.hpp>

#include <dirent.h>

#include <cstdio>
#include <cstdlib>

namespace app {

template <typename T>
class AsyncValue {
 public:
  void set(T value) {
    std::unique_lock<std::mutex> lock(mutex_);
    value_ = std::move(value);
    auto waiters = std::move(waiters_);
    lock.unlock();
    for (auto& waiter : waiters) waiter();
  }
  void and_then(std::function<void()> waiter) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!value_) {
      waiters_.push_back(std::move(waiter));
      return;
    }
    lock.unlock();
    waiter();
  }
  bool is_available() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return value_.has_value();
  }
  T get() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return *value_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<T> value_;
  std::vector<std::function<void()>> waiters_;
};

}  // namespace app

// All that raddle has to be told of the library.
template <typename T>
class WaitFor : public raddle::AsyncWaitSource {
 public:
  explicit WaitFor(std::shared_ptr<app::AsyncValue<T>> value) : value_(std::move(value)) {}
  void when_ready(std::function<void(raddle::Status)> callback) noexcept override {
    value_->and_then([callback = std::move(callback)] { callback({}); });
  }
  bool is_ready() noexcept override { return value_->is_available(); }
  const char* name() const noexcept override { return "app::AsyncValue"; }

 private:
  std::shared_ptr<app::AsyncValue<T>> value_;
};

using Number = app::AsyncValue<int32_t>;

// The functions that programs import: `host.await` suspends the program until a value is there, and gives its number.
static raddle::Module host_module() {
  raddle::NativeModule host("host");
  host.add("add", "0iIfF_F", [](raddle::Call& call) {
    call.result(0, call.argument(0).i32() + double(call.argument(1).i64()) + call.argument(2).f32() + call.argument(3).f64());
  });
  host.add("await", "0r_i", [](raddle::Call& call) {
    auto number = raddle::object_of<Number>(call.argument(0).ref(), "app.number");
    raddle::Source source(std::make_shared<WaitFor<int32_t>>(number));
    call.wait(source, [number](raddle::Call& call, raddle::Status status, size_t) {
      if (!status.ok()) throw raddle::Error(status);
      call.result(0, number->get());
    });
  });
  host.add("sum", "0iCiD_i", [](raddle::Call& call) {
    int32_t sum = call.argument(0).i32();
    for (size_t i = 2; i < call.argument_count(); i++) sum += call.argument(i).i32();
    call.result(0, sum);
  });
  host.add("fail", "0i_v", [](raddle::Call& call) {
    throw std::runtime_error("the application throws " + std::to_string(call.argument(0).i32()));
  });
  return host.build();
}

// The application's value as an object that programs hold.
static raddle::Ref object_of(std::shared_ptr<Number> number) { return raddle::object("app.number", std::move(number)); }

static void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

static int thread_count() {
  int count = 0;
  DIR* folder = opendir("/proc/self/task");
  while (dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

int main(int argc, char** argv) {
  expect(argc == 2, "the argument is the folder of the programs");
  raddle::Runtime runtime = raddle::Runtime::hosted();
  raddle::Session session = runtime.session({host_module(), raddle::Module::from_file(std::string(argv[1]) + "/host.vmfb")});

  // Two values of the application's, and a program that waits on one after the other.
  auto first = std::make_shared<Number>(), second = std::make_shared<Number>();
  auto done = std::make_shared<Number>();
  raddle::Function twice = session.function("twice");
  twice.async({object_of(first), object_of(second)}).then([done](raddle::Result<raddle::Values> result) {
    done->set(result.value()[0].i32());
  });
  // The program's result is a value of the application's like any other: its continuation runs when it is there.
  int32_t seen = 0;
  done->and_then([&] { seen = done->get(); });

  auto turn = [&] {
    while (runtime.turn()) {
    }
  };
  turn();
  expect(seen == 0 && session.pending() == 1, "the program waits for the first value");
  first->set(20);
  expect(seen == 0, "nothing of the program runs inside `set`");
  turn();
  expect(seen == 0 && session.pending() == 1, "the program waits for the second value");
  second->set(22);
  turn();
  expect(seen == 42 && session.pending() == 0, "the program's result is the application's value");
  expect(thread_count() == 1, "no thread was added");

  // A value that is there already does not suspend; a failure of a native function is the future's.
  raddle::Future<raddle::Values> ready = twice.async({object_of(first), object_of(second)});
  raddle::Future<raddle::Values> fails = session.function("fail").async({7});
  turn();
  expect(ready.is_ready() && ready.get()[0].i32() == 42, "values that are there are taken");
  try {
    fails.get();
    expect(false, "the function fails");
  } catch (const raddle::Error& error) {
    expect(std::string(error.what()).find("the application throws 7") != std::string::npos, error.what());
  }

  // The same with workers: the application's thread is never blocked, the continuation runs on a worker.
  raddle::Runtime workers(1);
  raddle::Session other = workers.session({host_module(), raddle::Module::from_file(std::string(argv[1]) + "/host.vmfb")});
  auto third = std::make_shared<Number>();
  raddle::Future<int32_t> sum =
      other.function("twice").async({object_of(first), object_of(third)}).then([](raddle::Result<raddle::Values> result) {
        return result.value()[0].i32() * 2;
      });
  third->set(1);
  expect(sum.get() == 42, "`then` gives a future of what it returns");
  std::puts("async_value: ok");
}
