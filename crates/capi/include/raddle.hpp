// raddle for C++17: handles that release themselves, failures as exceptions, futures with `then`, wait sources as a
// class with one function. Header only, on top of raddle.h; under C++20 a future can be awaited by a coroutine.
//
// Threads, ownership, what may block: docs/embedding.md. A continuation, a callback and the functions of an
// AsyncWaitSource must not throw: an exception that leaves them ends the process (std::terminate). Functions of a
// NativeModule may throw: the exception becomes the failure of the call.

#ifndef RADDLE_HPP
#define RADDLE_HPP

#include "raddle.h"

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__cpp_impl_coroutine) && defined(__has_include)
#if __has_include(<coroutine>)
#include <coroutine>
#define RADDLE_HAS_COROUTINES 1
#endif
#endif

namespace raddle {

// A handle: copying retains, destroying releases.
template <typename T, void (*Retain)(const T*), void (*Release)(const T*)>
class Handle {
 public:
  Handle() = default;
  // Takes over the caller's hold.
  static Handle adopt(T* raw) { return Handle(raw); }
  // Adds a hold.
  static Handle borrow(const T* raw) {
    Retain(raw);
    return Handle(const_cast<T*>(raw));
  }
  Handle(const Handle& other) : raw_(other.raw_) { Retain(raw_); }
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Handle& operator=(Handle other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Handle() { Release(raw_); }

  T* get() const { return raw_; }
  // Gives the hold away.
  T* release() { return std::exchange(raw_, nullptr); }
  explicit operator bool() const { return raw_ != nullptr; }
  // A place for a function of raddle.h to put a handle.
  T** out() {
    Release(raw_);
    raw_ = nullptr;
    return &raw_;
  }

 protected:
  explicit Handle(T* raw) : raw_(raw) {}

 private:
  T* raw_ = nullptr;
};

// Success, or a failure with its message.
class Status : public Handle<raddle_status_t, raddle_status_retain, raddle_status_release> {
 public:
  Status() = default;
  Status(raddle_code_t code, const std::string& message) : Status(raddle_status_create(code, message.c_str())) {}
  Status(Handle handle) : Handle(std::move(handle)) {}
  static Status adopt(raddle_status_t* raw) { return Status(raw); }
  static Status borrow(const raddle_status_t* raw) { return Status(Handle::borrow(raw)); }

  bool ok() const { return get() == nullptr; }
  uint32_t code() const { return raddle_status_code(get()); }
  std::string message() const { return raddle_status_message(get()); }

 private:
  explicit Status(raddle_status_t* raw) : Handle(raw) {}
};

// A failure as an exception.
class Error : public std::runtime_error {
 public:
  explicit Error(Status status) : std::runtime_error(status.message()), status_(std::move(status)) {}
  const Status& status() const { return status_; }
  uint32_t code() const { return status_.code(); }

 private:
  Status status_;
};

// Throws what a function of raddle.h returned, if it is a failure.
inline void check(raddle_status_t* raw) {
  if (raw != nullptr) throw Error(Status::adopt(raw));
}

// The exception that is being handled as a status.
inline Status current_failure() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return error.status();
  } catch (const std::bad_alloc&) {
    return Status::adopt(raddle_status_create(RADDLE_CODE_RESOURCE_EXHAUSTED, "std::bad_alloc"));
  } catch (const std::exception& error) {
    return Status::adopt(raddle_status_create(RADDLE_CODE_UNKNOWN, error.what()));
  } catch (...) {
    return Status::adopt(raddle_status_create(RADDLE_CODE_UNKNOWN, "an exception that is no std::exception"));
  }
}

// A reference to an object that programs hold.
class Ref : public Handle<raddle_ref_t, raddle_ref_retain, raddle_ref_release> {
 public:
  Ref() = default;
  Ref(Handle handle) : Handle(std::move(handle)) {}

  std::string type_name() const {
    char name[128];
    size_t size = raddle_ref_type_name(get(), name, sizeof name);
    return std::string(name, size < sizeof name ? size : sizeof name - 1);
  }
  friend bool operator==(const Ref& a, const Ref& b) { return raddle_ref_equal(a.get(), b.get()); }
  friend bool operator!=(const Ref& a, const Ref& b) { return !(a == b); }
};

// An object of the application's as one that programs hold, of the type `type_name` ("app.thing"). A program, a native function
// and the application may use it at the same time.
template <typename T>
Ref object(const char* type_name, std::shared_ptr<T> shared) {
  auto owner = std::make_unique<std::shared_ptr<T>>(std::move(shared));
  auto end = [](void* data) { delete static_cast<std::shared_ptr<T>*>(data); };
  Ref reference;
  check(raddle_object_create(type_name, owner.get(), end, reference.out()));
  owner.release();
  return reference;
}

// The application's object again. `T` is what it was made of: a name stands for one class.
template <typename T>
std::shared_ptr<T> object_of(const Ref& reference, const char* type_name) {
  void* data = nullptr;
  check(raddle_ref_object(reference.get(), type_name, &data));
  return *static_cast<std::shared_ptr<T>*>(data);
}

// A value: an argument or a result.
class Value {
 public:
  Value() : raw_{RADDLE_VALUE_KIND_EMPTY, {}} {}
  Value(int32_t value) : raw_{RADDLE_VALUE_KIND_I32, {}} { raw_.of.i32 = value; }
  Value(int64_t value) : raw_{RADDLE_VALUE_KIND_I64, {}} { raw_.of.i64 = value; }
  Value(float value) : raw_{RADDLE_VALUE_KIND_F32, {}} { raw_.of.f32 = value; }
  Value(double value) : raw_{RADDLE_VALUE_KIND_F64, {}} { raw_.of.f64 = value; }
  Value(Ref reference) : raw_{RADDLE_VALUE_KIND_REF, {}} { raw_.of.ref = reference.release(); }
  static Value adopt(raddle_value_t raw) { return Value(raw); }
  static Value borrow(raddle_value_t raw) {
    if (raw.kind == RADDLE_VALUE_KIND_REF) raddle_ref_retain(raw.of.ref);
    return Value(raw);
  }
  Value(const Value& other) : Value(borrow(other.raw_)) {}
  Value(Value&& other) noexcept : raw_(std::exchange(other.raw_, raddle_value_t{RADDLE_VALUE_KIND_EMPTY, {}})) {}
  Value& operator=(Value other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Value() {
    if (raw_.kind == RADDLE_VALUE_KIND_REF) raddle_ref_release(raw_.of.ref);
  }

  int32_t i32() const { return expect(RADDLE_VALUE_KIND_I32).i32; }
  int64_t i64() const { return expect(RADDLE_VALUE_KIND_I64).i64; }
  float f32() const { return expect(RADDLE_VALUE_KIND_F32).f32; }
  double f64() const { return expect(RADDLE_VALUE_KIND_F64).f64; }
  Ref ref() const { return Ref(Ref::borrow(expect(RADDLE_VALUE_KIND_REF).ref)); }
  const raddle_value_t& raw() const { return raw_; }
  // Gives the hold away.
  raddle_value_t release() { return std::exchange(raw_, raddle_value_t{RADDLE_VALUE_KIND_EMPTY, {}}); }

 private:
  explicit Value(raddle_value_t raw) : raw_(raw) {}
  const raddle_value_content_t& expect(uint32_t kind) const {
    if (raw_.kind != kind) throw Error(Status(RADDLE_CODE_INVALID_ARGUMENT, "the value is of another kind"));
    return raw_.of;
  }
  raddle_value_t raw_;
};

static_assert(sizeof(Value) == sizeof(raddle_value_t), "an array of values is an array of raw values");

using Values = std::vector<Value>;

// A value, or how there came to be none.
template <typename T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {}
  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  // The value; throws the failure.
  T& value() & {
    if (!ok()) throw Error(status_);
    return *value_;
  }
  T&& value() && { return std::move(value()); }

 private:
  std::optional<T> value_;
  Status status_;
};

template <>
class Result<void> {
 public:
  Result() = default;
  Result(Status status) : status_(std::move(status)) {}
  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  void value() const {
    if (!ok()) throw Error(status_);
  }

 private:
  Status status_;
};

namespace internal {

template <typename T>
struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<T>> result;
  std::function<void(Result<T>)> continuation;

  void complete(Result<T> value) noexcept {
    std::unique_lock<std::mutex> lock(mutex);
    if (continuation) {
      auto next = std::move(continuation);
      lock.unlock();
      next(std::move(value));
      return;
    }
    result.emplace(std::move(value));
    lock.unlock();
    changed.notify_all();
  }

  // Runs `next` with the result: now, or on the thread that completes.
  void follow(std::function<void(Result<T>)> next) {
    std::unique_lock<std::mutex> lock(mutex);
    if (!result) {
      continuation = std::move(next);
      return;
    }
    Result<T> value = std::move(*result);
    lock.unlock();
    next(std::move(value));
  }
};

template <typename F, typename T>
using Next = std::invoke_result_t<F, Result<T>>;

}  // namespace internal

template <typename T>
class Promise;

// What an invocation will come to. Its result is taken once: by `get`, `then` or `co_await`.
template <typename T>
class Future {
 public:
  Future() = default;

  bool valid() const { return shared_ != nullptr; }

  bool is_ready() const {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    return shared_->result.has_value();
  }

  // Blocks the thread until there is a result, and returns it or throws the failure. Not on a worker.
  T get() {
    auto shared = std::move(shared_);
    std::unique_lock<std::mutex> lock(shared->mutex);
    shared->changed.wait(lock, [&] { return shared->result.has_value(); });
    return std::move(*shared->result).value();
  }

  // Runs `next` with a Result<T> on the thread that completes this future, or here if it is complete. A failure that `next`
  // throws is the failure of the future that this returns.
  template <typename F, typename R = internal::Next<F, T>>
  Future<R> then(F next) {
    Promise<R> promise;
    Future<R> future = promise.future();
    auto held = std::make_shared<F>(std::move(next));
    std::move(*this).on_ready([held, promise](Result<T> result) mutable noexcept {
      promise.fulfil([&]() -> R { return (*held)(std::move(result)); });
    });
    return future;
  }

  // The same for a function that does not throw and whose result nobody needs.
  void on_ready(std::function<void(Result<T>)> next) && {
    auto shared = std::move(shared_);
    shared->follow(std::move(next));
  }

#ifdef RADDLE_HAS_COROUTINES
  // The coroutine goes on on the thread that completes this future, or at once if it is complete.
  auto operator co_await() && {
    struct Awaiter {
      std::shared_ptr<internal::Shared<T>> shared;
      std::optional<Result<T>> result;
      bool await_ready() {
        std::lock_guard<std::mutex> lock(shared->mutex);
        if (shared->result) result.emplace(std::move(*shared->result));
        return result.has_value();
      }
      void await_suspend(std::coroutine_handle<> coroutine) {
        // The coroutine may be resumed, and this awaiter gone, before `follow` returns.
        auto keep = shared;
        keep->follow([this, coroutine](Result<T> value) {
          result.emplace(std::move(value));
          coroutine.resume();
        });
      }
      T await_resume() { return std::move(*result).value(); }
    };
    return Awaiter{std::move(shared_), std::nullopt};
  }
#endif

 private:
  friend class Promise<T>;
  explicit Future(std::shared_ptr<internal::Shared<T>> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<internal::Shared<T>> shared_;
};

// Completes a future, once.
template <typename T>
class Promise {
 public:
  Promise() : shared_(std::make_shared<internal::Shared<T>>()) {}
  Future<T> future() const { return Future<T>(shared_); }
  void complete(Result<T> result) const noexcept { shared_->complete(std::move(result)); }

  // Completes it with what `body` returns or throws.
  template <typename F>
  void fulfil(F body) const noexcept {
    std::optional<Result<T>> result;
    try {
      if constexpr (std::is_void_v<T>) {
        body();
        result.emplace();
      } else {
        result.emplace(body());
      }
    } catch (...) {
      result.emplace(current_failure());
    }
    complete(std::move(*result));
  }

 private:
  std::shared_ptr<internal::Shared<T>> shared_;
};

// Something of the application's that a program can wait for: it only has to say when it is ready.
class AsyncWaitSource {
 public:
  virtual ~AsyncWaitSource() = default;

  // Keeps `callback` and calls it when the source is ready, with success, or has failed for good, with the failure: from any
  // thread, or at once, from inside this call. A source may be waited for several times, by several waits at once.
  virtual void when_ready(std::function<void(Status)> callback) noexcept = 0;

  // Whether it is ready already, as far as it knows: spares the callback.
  virtual bool is_ready() noexcept { return false; }

  // What dumps call it.
  virtual const char* name() const noexcept { return "AsyncWaitSource"; }
};

class Source : public Handle<raddle_source_t, raddle_source_retain, raddle_source_release> {
 public:
  Source() = default;
  Source(Handle handle) : Handle(std::move(handle)) {}

  // A source of the application's, which is kept as long as a program may wait for it.
  explicit Source(std::shared_ptr<AsyncWaitSource> source) {
    raddle_source_table_t table{};
    table.struct_size = sizeof table;
    table.name = source->name();
    table.arm = [](void* data, raddle_waker_t* waker) {
      // The callback may be copied, and dropped without having been called.
      std::shared_ptr<raddle_waker_t> held(waker, [](raddle_waker_t* raw) { raddle_waker_release(raw); });
      self(data)->when_ready([held](Status status) { raddle_waker_complete(held.get(), status.get()); });
    };
    table.query = [](void* data, raddle_status_t**) -> uint32_t {
      return self(data)->is_ready() ? RADDLE_READY_READY : RADDLE_READY_PENDING;
    };
    table.release = [](void* data) { delete static_cast<std::shared_ptr<AsyncWaitSource>*>(data); };
    auto owner = std::make_unique<std::shared_ptr<AsyncWaitSource>>(std::move(source));
    check(raddle_source_create(&table, owner.get(), out()));
    owner.release();
  }

  // The source of the application behind a source of a wait frame; null if it is none.
  AsyncWaitSource* application() const {
    raddle_source_info_t info{};
    info.struct_size = sizeof info;
    check(raddle_source_info(get(), &info));
    return info.kind == RADDLE_SOURCE_KIND_HOST ? self(info.user_data) : nullptr;
  }

  // Ready when the descriptor is, which is duplicated.
  static Source readable(int fd) { return from_fd(fd, RADDLE_INTEREST_READ); }
  static Source writable(int fd) { return from_fd(fd, RADDLE_INTEREST_WRITE); }
  // Ready at this moment of the runtime's clock.
  static Source at(uint64_t moment) {
    Source source;
    check(raddle_source_at(moment, source.out()));
    return source;
  }

  Ref ref() const {
    Ref reference;
    check(raddle_source_ref(get(), reference.out()));
    return reference;
  }

 private:
  static AsyncWaitSource* self(void* data) { return static_cast<std::shared_ptr<AsyncWaitSource>*>(data)->get(); }
  static Source from_fd(int fd, uint32_t interest) {
    Source source;
    check(raddle_source_from_fd(fd, interest, source.out()));
    return source;
  }
};

class Event : public Handle<raddle_event_t, raddle_event_retain, raddle_event_release> {
 public:
  Event(Handle handle) : Handle(std::move(handle)) {}
  // Stays set until it is reset.
  static Event manual() { return make(false); }
  // Is reset by the one wait that it ends.
  static Event automatic() { return make(true); }
  void set() const { raddle_event_set(get()); }
  bool reset() const { return raddle_event_reset(get()); }
  bool is_set() const { return raddle_event_is_set(get()); }
  Ref ref() const {
    Ref reference;
    check(raddle_event_ref(get(), reference.out()));
    return reference;
  }
  Source source() const {
    Source source;
    check(raddle_event_source(get(), source.out()));
    return source;
  }

 private:
  Event() = default;
  static Event make(bool is_auto) {
    Event event;
    check(raddle_event_create(is_auto, event.out()));
    return event;
  }
};

class Semaphore : public Handle<raddle_semaphore_t, raddle_semaphore_retain, raddle_semaphore_release> {
 public:
  Semaphore(Handle handle) : Handle(std::move(handle)) {}
  explicit Semaphore(uint64_t value) { check(raddle_semaphore_create(value, out())); }
  void signal(uint64_t value) const { check(raddle_semaphore_signal(get(), value)); }
  void fail(const Status& status) const { check(raddle_semaphore_fail(get(), status.get())); }
  uint64_t value() const {
    uint64_t value = 0;
    check(raddle_semaphore_value(get(), &value));
    return value;
  }
  Ref ref() const {
    Ref reference;
    check(raddle_semaphore_ref(get(), reference.out()));
    return reference;
  }
  Source at(uint64_t value) const {
    Source source;
    check(raddle_semaphore_source(get(), value, source.out()));
    return source;
  }
};

// What a call of the asynchronous interface waits for, or signals (InvokeOptions).
class Fence : public Ref {
 public:
  // Reached when it is signalled.
  Fence() { check(raddle_fence_create(nullptr, 0, out())); }
  // Reached when the semaphore has reached the value.
  Fence(const Semaphore& semaphore, uint64_t value) { check(raddle_fence_create(semaphore.get(), value, out())); }
  // Reached when each semaphore has reached its value.
  explicit Fence(const std::vector<std::pair<Semaphore, uint64_t>>& points) {
    std::vector<const raddle_semaphore_t*> semaphores;
    std::vector<uint64_t> values;
    for (const auto& point : points) {
      semaphores.push_back(point.first.get());
      values.push_back(point.second);
    }
    check(raddle_fence_create_at(semaphores.data(), values.data(), points.size(), out()));
  }
  void signal() const { check(raddle_fence_signal(get())); }
  void fail(const Status& status) const { check(raddle_fence_fail(get(), status.get())); }
  // Throws the failure of a fence that has failed.
  bool is_reached() const {
    bool is_reached = false;
    check(raddle_fence_query(get(), &is_reached));
    return is_reached;
  }
  Source source() const {
    Source source;
    check(raddle_fence_source(get(), source.out()));
    return source;
  }
};

// Inside a function of a NativeModule.
class Call {
 public:
  using Resume = std::function<void(Call&, Status status, size_t index)>;

  size_t argument_count() const { return argument_count_; }
  Value argument(size_t index) const {
    if (index >= argument_count_) throw Error(Status(RADDLE_CODE_OUT_OF_RANGE, "there is no such argument"));
    return Value::borrow(arguments_[index]);
  }
  // What NativeModule::state made for the session that the program belongs to.
  template <typename T>
  T& state() const {
    auto* shared = static_cast<std::shared_ptr<void>*>(raddle_native_state(call_));
    if (shared == nullptr) throw Error(Status(RADDLE_CODE_FAILED_PRECONDITION, "the module has no state"));
    return *static_cast<T*>(shared->get());
  }
  void result(size_t index, Value value) {
    if (index >= result_count_) throw Error(Status(RADDLE_CODE_OUT_OF_RANGE, "there is no such result"));
    Value old = Value::adopt(results_[index]);
    results_[index] = value.release();
  }

  // Suspends the program until the sources are ready; `resume` then writes the results, or suspends again.
  void wait(uint32_t condition, const std::vector<Source>& sources, Resume resume, uint64_t deadline = RADDLE_NEVER) {
    std::vector<const raddle_source_t*> raw;
    for (const Source& source : sources) raw.push_back(source.get());
    auto rest = std::make_unique<Resume>(std::move(resume));
    check(raddle_native_wait(call_, condition, raw.data(), raw.size(), deadline, &Call::go_on, rest.get(), &end));
    rest.release();
  }
  void wait(const Source& source, Resume resume, uint64_t deadline = RADDLE_NEVER) {
    wait(RADDLE_CONDITION_KIND_UNTIL, {source}, std::move(resume), deadline);
  }
  // Suspends the program until others have had their turn.
  void yield(Resume resume) {
    auto rest = std::make_unique<Resume>(std::move(resume));
    check(raddle_native_yield(call_, &Call::go_on, rest.get(), &end));
    rest.release();
  }

 private:
  friend class NativeModule;
  Call(raddle_native_call_t* call, const raddle_value_t* arguments, size_t argument_count, raddle_value_t* results,
       size_t result_count)
      : call_(call),
        arguments_(arguments),
        argument_count_(argument_count),
        results_(results),
        result_count_(result_count) {}

  static raddle_status_t* go_on(void* data, raddle_native_call_t* call, const raddle_status_t* status, size_t index,
                                raddle_value_t* results, size_t result_count) {
    try {
      Call here(call, nullptr, 0, results, result_count);
      (*static_cast<Resume*>(data))(here, Status::borrow(status), index);
      return nullptr;
    } catch (...) {
      return current_failure().release();
    }
  }
  static void end(void* data) { delete static_cast<Resume*>(data); }

  raddle_native_call_t* call_;
  const raddle_value_t* arguments_;
  size_t argument_count_;
  raddle_value_t* results_;
  size_t result_count_;
};

class Module : public Handle<raddle_module_t, raddle_module_retain, raddle_module_release> {
 public:
  Module(Handle handle) : Handle(std::move(handle)) {}
  static Module from_file(const std::string& path) {
    Module module;
    check(raddle_module_from_file(path.c_str(), module.out()));
    return module;
  }
  // The bytes are copied.
  static Module from_memory(const void* data, size_t size) {
    Module module;
    check(raddle_module_from_memory(data, size, nullptr, nullptr, module.out()));
    return module;
  }

 private:
  friend class NativeModule;
  Module() = default;
};

// Collects functions of the application's for programs to import.
class NativeModule {
 public:
  using Function = std::function<void(Call&)>;

  explicit NativeModule(std::string name, uint32_t version = 0) : name_(std::move(name)), version_(version) {}

  // `convention` as in raddle_native_function_t: "0ir_I". The function may throw.
  NativeModule& add(std::string name, std::string convention, Function function) {
    parts_.push_back({std::move(name), std::move(convention), std::move(function)});
    return *this;
  }

  // The functions take or return objects of this type ("app.thing"), which programs write as `!vm.ref<!app.thing>`.
  NativeModule& type(std::string name) {
    types_.push_back(std::move(name));
    return *this;
  }

  // Makes what each session has of the module: Call::state<T>() finds it. `make` may throw, and then there is no session.
  template <typename T>
  NativeModule& state(std::function<std::shared_ptr<T>()> make) {
    state_ = std::move(make);
    return *this;
  }

  Module build() const {
    std::vector<raddle_native_function_t> raw;
    auto owner = std::make_unique<Owner>(Owner{parts_, state_});
    build_functions(owner->parts, raw);
    std::vector<const char*> types;
    for (const std::string& type : types_) types.push_back(type.c_str());
    raddle_native_module_options_t options{};
    options.struct_size = sizeof options;
    options.name = name_.c_str();
    options.version = version_;
    options.function_count = raw.size();
    options.functions = raw.data();
    options.user_data = owner.get();
    options.destroy = [](void* data) { delete static_cast<Owner*>(data); };
    options.type_count = types.size();
    options.types = types.data();
    if (state_) {
      options.create_state = &NativeModule::make_state;
      options.destroy_state = [](void* state) { delete static_cast<std::shared_ptr<void>*>(state); };
    }
    Module module;
    check(raddle_module_native(&options, module.out()));
    owner.release();
    return module;
  }

 private:
  struct Part {
    std::string name, convention;
    Function function;
  };

  struct Owner {
    std::vector<Part> parts;
    std::function<std::shared_ptr<void>()> state;
  };

  static raddle_status_t* make_state(void* data, void** out_state) {
    try {
      *out_state = new std::shared_ptr<void>(static_cast<Owner*>(data)->state());
      return nullptr;
    } catch (...) {
      return current_failure().release();
    }
  }

  static void build_functions(const std::vector<Part>& parts, std::vector<raddle_native_function_t>& raw) {
    for (const Part& part : parts) {
      raddle_native_function_t function{};
      function.name = part.name.c_str();
      function.convention = part.convention.c_str();
      function.function = &NativeModule::call;
      function.user_data = const_cast<Part*>(&part);
      raw.push_back(function);
    }
  }

  static raddle_status_t* call(void* data, raddle_native_call_t* call, const raddle_value_t* arguments,
                               size_t argument_count, raddle_value_t* results, size_t result_count) {
    try {
      Call here(call, arguments, argument_count, results, result_count);
      static_cast<Part*>(data)->function(here);
      return nullptr;
    } catch (...) {
      return current_failure().release();
    }
  }

  std::string name_;
  uint32_t version_;
  std::vector<Part> parts_;
  std::vector<std::string> types_;
  std::function<std::shared_ptr<void>()> state_;
};

// An invocation that can be cancelled.
class Invocation : public Handle<raddle_invocation_t, raddle_invocation_retain, raddle_invocation_release> {
 public:
  Invocation() = default;
  Invocation(Handle handle) : Handle(std::move(handle)) {}
  bool cancel() const { return raddle_invocation_cancel(get()); }
  bool is_done() const { return raddle_invocation_is_done(get()); }
};

struct InvokeOptions {
  uint64_t deadline = 0;
  uint32_t priority = RADDLE_PRIORITY_NORMAL;
  // Of functions of the asynchronous interface: see raddle_invoke_options_t.
  Ref wait_fence{}, signal_fence{};
};

class Function : public Handle<raddle_function_t, raddle_function_retain, raddle_function_release> {
 public:
  Function() = default;
  Function(Handle handle) : Handle(std::move(handle)) {}

  // Calls it, on this thread until it has to wait. Blocks until the results are there; throws the failure.
  Values operator()(const Values& arguments, const InvokeOptions& options = {}) const {
    raddle_invoke_options_t raw = raw_options(options);
    Values results(raddle_function_result_count(get()));
    check(raddle_invoke(get(), raws(arguments), arguments.size(), &raw, raws(results), results.size(), nullptr));
    return results;
  }

  // Calls it without blocking. `out_invocation` gets what cancels it.
  Future<Values> async(const Values& arguments, const InvokeOptions& options = {},
                       Invocation* out_invocation = nullptr) const {
    raddle_invoke_options_t raw = raw_options(options);
    auto promise = std::make_unique<Promise<Values>>();
    Future<Values> future = promise->future();
    check(raddle_invoke_async(get(), raws(arguments), arguments.size(), &raw, &Function::complete, promise.get(),
                              out_invocation != nullptr ? out_invocation->out() : nullptr));
    // `complete` has it now.
    promise.release();
    return future;
  }

 private:
  static raddle_invoke_options_t raw_options(const InvokeOptions& options) {
    raddle_invoke_options_t raw{};
    raw.struct_size = sizeof raw;
    raw.deadline = options.deadline;
    raw.priority = options.priority;
    raw.wait_fence = options.wait_fence.get();
    raw.signal_fence = options.signal_fence.get();
    return raw;
  }
  static const raddle_value_t* raws(const Values& values) {
    return reinterpret_cast<const raddle_value_t*>(values.data());
  }
  static raddle_value_t* raws(Values& values) { return reinterpret_cast<raddle_value_t*>(values.data()); }

  static void complete(void* data, const raddle_status_t* status, const raddle_value_t* results,
                       size_t result_count) noexcept {
    std::unique_ptr<Promise<Values>> promise(static_cast<Promise<Values>*>(data));
    if (status != nullptr) {
      promise->complete(Status::borrow(status));
      return;
    }
    Values values;
    values.reserve(result_count);
    for (size_t i = 0; i < result_count; i++) values.push_back(Value::borrow(results[i]));
    promise->complete(std::move(values));
  }
};

class Session : public Handle<raddle_session_t, raddle_session_retain, raddle_session_release> {
 public:
  Session() = default;
  Session(Handle handle) : Handle(std::move(handle)) {}
  Function function(const std::string& name) const {
    Function function;
    check(raddle_session_function(get(), name.c_str(), function.out()));
    return function;
  }
  // The same modules with a copy of their state.
  Session fork() const {
    Session session;
    check(raddle_session_fork(get(), session.out()));
    return session;
  }
  bool is_stateful() const { return raddle_session_is_stateful(get()); }
  size_t pending() const { return raddle_session_pending(get()); }
  void cancel() const { raddle_session_cancel(get()); }
  void wait_idle(uint64_t deadline = RADDLE_NEVER) const { check(raddle_session_wait_idle(get(), deadline)); }
};

// Where programs compute on tensors (raddle_buffer_view_create and its kin).
class Device : public Handle<raddle_device_t, raddle_device_retain, raddle_device_release> {
 public:
  Device(Handle handle) : Handle(std::move(handle)) {}

 private:
  friend class Runtime;
  Device() = default;
};

// Elements that lie elsewhere, one behind the other.
template <typename T>
class Span {
 public:
  Span(T* data, size_t size) : data_(data), size_(size) {}
  T* data() const { return data_; }
  size_t size() const { return size_; }
  T* begin() const { return data_; }
  T* end() const { return data_ + size_; }
  T& operator[](size_t index) const { return data_[index]; }

 private:
  T* data_;
  size_t size_;
};

namespace internal {

// IREE's number of a C++ type.
template <typename T>
constexpr uint32_t element_type() {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) <= 8, "elements are numbers");
  constexpr uint32_t kind = std::is_same_v<T, bool>          ? 0x13
                            : std::is_floating_point_v<T>    ? 0x21
                            : std::is_unsigned_v<T>          ? 0x12
                                                             : 0x10;
  return kind << 24 | uint32_t(sizeof(T) * 8);
}

}  // namespace internal

// A tensor: a reference whose object has a shape and elements.
class Tensor : public Ref {
 public:
  using Shape = std::vector<uint64_t>;

  // The tensor that a reference leads to; throws if it leads to something else.
  explicit Tensor(Ref reference) : Ref(std::move(reference)) {
    info_.struct_size = sizeof info_;
    check(raddle_buffer_view_info(get(), &info_, nullptr, 0));
    shape_.resize(info_.rank);
    check(raddle_buffer_view_info(get(), &info_, shape_.data(), shape_.size()));
  }

  // A copy of these elements.
  template <typename T>
  static Tensor copy(const Device& device, const Shape& shape, const T* data, size_t count) {
    Ref view;
    check(raddle_buffer_view_create(device.get(), internal::element_type<T>(), shape.data(), shape.size(), data,
                                    count * sizeof(T), view.out()));
    return Tensor(std::move(view));
  }
  template <typename T>
  static Tensor copy(const Device& device, const Shape& shape, const std::vector<T>& elements) {
    return copy(device, shape, elements.data(), elements.size());
  }

  // These elements in place, which begin at a multiple of 64: programs may read and write them until `release` is called, once, on
  // any thread. It is not called if this throws, and must not throw itself.
  template <typename T>
  static Tensor wrap(const Shape& shape, T* data, size_t count, std::function<void()> release = [] {}) {
    auto owner = std::make_unique<std::function<void()>>(std::move(release));
    auto end = [](void* raw) {
      std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(raw));
      (*owned)();
    };
    Ref view;
    check(raddle_buffer_view_wrap(internal::element_type<T>(), shape.data(), shape.size(), data, count * sizeof(T), end,
                                  owner.get(), view.out()));
    owner.release();
    return Tensor(std::move(view));
  }

  // Another library's tensor, in place; see raddle_dlpack_import.
  static Tensor from_dlpack(struct DLManagedTensorVersioned* tensor) {
    Ref view;
    check(raddle_dlpack_import(tensor, view.out()));
    return Tensor(std::move(view));
  }
  // The tensor for another library, in place; whoever takes it calls its deleter.
  struct DLManagedTensorVersioned* to_dlpack() const {
    struct DLManagedTensorVersioned* tensor = nullptr;
    check(raddle_dlpack_export(get(), &tensor));
    return tensor;
  }

  const Shape& shape() const { return shape_; }
  uint32_t element_type() const { return info_.element_type; }
  // The number of elements.
  size_t size() const {
    uint64_t size = 1;
    for (uint64_t extent : shape_) size *= extent;
    return size_t(size);
  }

  // The elements where they are, as long as this or another reference lives; settled behind the fence of whoever wrote them. `T`
  // is their type; integers of either signedness will do. To change them, ask for a mutable_span.
  template <typename T>
  Span<const T> span() const {
    return {static_cast<const T*>(place<T>(false)), size()};
  }
  template <typename T>
  Span<T> mutable_span() const {
    return {static_cast<T*>(place<T>(true)), size()};
  }
  // A copy of the elements.
  template <typename T>
  std::vector<T> to_vector() const {
    Span<const T> elements = span<T>();
    return std::vector<T>(elements.begin(), elements.end());
  }

 private:
  template <typename T>
  void* place(bool is_to_be_changed) const {
    constexpr uint32_t wanted = internal::element_type<T>();
    bool are_integers = std::is_integral_v<T> && info_.element_type >> 28 == 1 && (info_.element_type & 0xff) == (wanted & 0xff);
    if (info_.element_type != wanted && !are_integers) {
      throw Error(Status(RADDLE_CODE_INVALID_ARGUMENT, "the tensor has elements of another type"));
    }
    void* data = nullptr;
    uint64_t bytes = 0;
    bool is_mutable = false;
    check(raddle_buffer_view_data(get(), &data, &bytes, &is_mutable));
    if (bytes < size() * sizeof(T)) throw Error(Status(RADDLE_CODE_OUT_OF_RANGE, "the tensor's buffer is too short"));
    if (is_to_be_changed && !is_mutable) throw Error(Status(RADDLE_CODE_PERMISSION_DENIED, "the tensor is read-only"));
    return data;
  }

  raddle_buffer_view_info_t info_{};
  Shape shape_;
};

class Runtime : public Handle<raddle_runtime_t, raddle_runtime_retain, raddle_runtime_release> {
 public:
  // `workers` of 0: as many as the process may use, or none with RADDLE_DRIVER_HOST.
  explicit Runtime(uint32_t workers = 0, uint32_t driver = RADDLE_DRIVER_DEFAULT, const char* name = nullptr) {
    raddle_runtime_options_t options{};
    options.struct_size = sizeof options;
    options.driver = driver;
    options.workers = workers;
    options.name = name;
    check(raddle_runtime_create(&options, out()));
  }
  // No threads at all: the host calls `turn`.
  static Runtime hosted() { return Runtime(0, RADDLE_DRIVER_HOST); }

  // `is_native_code_run`: machine code in modules runs with the rights of the process.
  Device device(bool is_native_code_run) const {
    raddle_device_options_t options{};
    options.struct_size = sizeof options;
    options.is_native_code_run = is_native_code_run;
    Device device;
    check(raddle_device_create(get(), &options, device.out()));
    return device;
  }

  Session session(const std::vector<Module>& modules, const std::vector<Device>& devices = {}) const {
    std::vector<const raddle_module_t*> raw;
    for (const Module& module : modules) raw.push_back(module.get());
    std::vector<const raddle_device_t*> raw_devices;
    for (const Device& device : devices) raw_devices.push_back(device.get());
    raddle_session_options_t options{};
    options.struct_size = sizeof options;
    options.device_count = raw_devices.size();
    options.devices = raw_devices.data();
    Session session;
    check(raddle_session_create(get(), raw.data(), raw.size(), &options, session.out()));
    return session;
  }

  uint64_t now() const { return raddle_runtime_now(get()); }
  int fd() const { return raddle_runtime_fd(get()); }
  int64_t next_timeout() const { return raddle_runtime_next_timeout(get()); }
  // Whether work is left.
  bool turn(uint32_t tasks_max = 0) const {
    bool is_more = false;
    check(raddle_runtime_turn(get(), tasks_max, nullptr, &is_more));
    return is_more;
  }
  std::string dump(uint32_t format = RADDLE_DUMP_FORMAT_TEXT) const {
    std::string text;
    auto write = [](void* data, const char* part, size_t size) { static_cast<std::string*>(data)->append(part, size); };
    check(raddle_runtime_dump(get(), format, write, &text));
    return text;
  }
  raddle_shutdown_report_t shutdown(uint64_t deadline = RADDLE_NEVER) const {
    raddle_shutdown_report_t report{};
    report.struct_size = sizeof report;
    check(raddle_runtime_shutdown(get(), deadline, &report));
    return report;
  }
};

}  // namespace raddle

#endif  // RADDLE_HPP
