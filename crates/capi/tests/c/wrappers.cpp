// raddle.hpp: tensors as spans and vectors, fences, `then`, and modules with types and states of their own.
#include <raddle.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>

static void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

template <typename F>
static void fails(F body, uint32_t code, const char* text) {
  try {
    body();
  } catch (const raddle::Error& error) {
    if (error.code() == code && std::strstr(error.what(), text)) return;
    std::fprintf(stderr, "expected `%s`, got %s\n", text, error.what());
    std::exit(1);
  }
  std::fprintf(stderr, "expected `%s`, and nothing failed\n", text);
  std::exit(1);
}

using Floats = std::vector<float>;

static void tensors(const raddle::Runtime& runtime, const std::string& folder) {
  raddle::Device device = runtime.device(true);
  raddle::Session session = runtime.session({raddle::Module::from_file(folder + "/p04_reduce.sync.vmfb")}, {device});
  raddle::Function reduce = session.function("reduce");
  Floats ones(16 * 33, 1.0f);
  raddle::Tensor copied = raddle::Tensor::copy(device, {16, 33}, ones);
  expect(copied.shape() == raddle::Tensor::Shape{16, 33} && copied.size() == 16 * 33, "the shape");
  raddle::Values results = reduce({copied});
  raddle::Tensor sums(results[0].ref()), most(results[1].ref());
  expect(sums.to_vector<float>() == Floats(16, 33.0f) && most.shape().empty() && most.span<float>()[0] == 33, "the sums");
  // The same bytes, whoever asks; they outlive all but their references.
  sums.mutable_span<float>()[3] = 5;
  float total = 0;
  for (float sum : raddle::Tensor(results[0].ref()).span<float>()) total += sum;
  expect(total == 15 * 33 + 5, "a change is seen");
  fails([&] { sums.span<double>(); }, RADDLE_CODE_INVALID_ARGUMENT, "another type");
  fails([&] { sums.span<int32_t>(); }, RADDLE_CODE_INVALID_ARGUMENT, "another type");
  raddle::Ref buffer;
  raddle::check(raddle_buffer_create(4, buffer.out()));
  fails([&] { raddle::Tensor tensor(buffer); }, RADDLE_CODE_INVALID_ARGUMENT, "vm.buffer");
  fails([&] { raddle::Tensor::copy(device, {2, 2}, Floats(3)); }, RADDLE_CODE_INVALID_ARGUMENT, "12 bytes");
  expect(raddle::Tensor::copy(device, {2}, std::vector<uint8_t>{1, 2}).span<int8_t>()[1] == 2, "integers of one width");

  // In place.
  auto* mine = static_cast<float*>(std::aligned_alloc(64, (16 * 33 * 4 + 63) / 64 * 64));
  std::copy(ones.begin(), ones.end(), mine);
  int releases = 0;
  auto release = [&] {
    releases += 1;
    std::free(mine);
  };
  fails([&] { raddle::Tensor::wrap({16, 32}, mine, 16 * 33, release); }, RADDLE_CODE_INVALID_ARGUMENT, "bytes for");
  expect(releases == 0, "what fails releases nothing");
  {
    raddle::Tensor wrapped = raddle::Tensor::wrap({16, 33}, mine, 16 * 33, release);
    expect(wrapped.span<float>().data() == mine, "nothing is copied");
    mine[0] = 11;
    expect(raddle::Tensor(reduce({wrapped})[1].ref()).span<float>()[0] == 43, "the program reads the application's bytes");
    raddle::Tensor again = raddle::Tensor::from_dlpack(wrapped.to_dlpack());
    expect(again.span<float>().data() == mine && again.shape() == wrapped.shape(), "DLPack copies nothing");
  }
  expect(releases == 1, "released once");

  // `then` on a program's tensors; the failure of one goes along.
  raddle::Future<float> sum = reduce.async({copied}).then([](raddle::Result<raddle::Values> result) {
    return raddle::Tensor(result.value()[1].ref()).span<float>()[0];
  });
  raddle::Future<float> none = reduce.async({sums}).then([](raddle::Result<raddle::Values> result) {
    return raddle::Tensor(result.value()[1].ref()).span<float>()[0];
  });
  expect(sum.get() == 33, "then");
  fails([&] { none.get(); }, RADDLE_CODE_INVALID_ARGUMENT, "rank mismatch");
}

static void fences(const raddle::Runtime& runtime, const std::string& folder) {
  raddle::Device device = runtime.device(true);
  raddle::Session session = runtime.session({raddle::Module::from_file(folder + "/abs.async.vmfb")}, {device});
  raddle::Function abs = session.function("abs");
  raddle::Tensor minus = raddle::Tensor::copy(device, {}, Floats{-4});
  raddle::Semaphore one(0), two(0);
  raddle::InvokeOptions options;
  options.wait_fence = raddle::Fence({{one, 1}, {two, 1}});
  raddle::Fence done;
  options.signal_fence = done;
  raddle::Future<raddle::Values> results = abs.async({minus}, options);
  one.signal(1);
  expect(!done.is_reached() && !results.is_ready(), "one of two");
  two.signal(1);
  expect(raddle::Tensor(results.get()[0].ref()).to_vector<float>() == Floats{4}, "the result");
  expect(done.is_reached(), "the application's fence");
}

struct Account {
  int64_t balance;
};
struct Bank {
  int opened = 0;
};

static void modules(const raddle::Runtime& runtime, const std::string& folder) {
  raddle::NativeModule bank("bank");
  bool is_open = true;
  std::weak_ptr<Bank> last;
  bank.type("bank.account").state<Bank>([&] {
    if (!is_open) throw std::runtime_error("the bank is closed");
    auto fresh = std::make_shared<Bank>();
    last = fresh;
    return fresh;
  });
  bank.add("open", "0I_r", [](raddle::Call& call) {
    call.state<Bank>().opened += 1;
    call.result(0, raddle::object("bank.account", std::make_shared<Account>(Account{call.argument(0).i64()})));
  });
  bank.add("balance", "0r_I", [](raddle::Call& call) {
    call.result(0, raddle::object_of<Account>(call.argument(0).ref(), "bank.account")->balance);
  });
  bank.add("count", "0v_i", [](raddle::Call& call) { call.result(0, int32_t(call.state<Bank>().opened)); });
  bank.add("settle", "0i_i", [](raddle::Call& call) {
    int32_t more = call.argument(0).i32();
    call.yield([more](raddle::Call& call, raddle::Status, size_t) { call.result(0, call.state<Bank>().opened + more); });
  });
  std::vector<raddle::Module> parts = {bank.build(), raddle::Module::from_file(folder + "/bank.vmfb")};
  raddle::Ref account;
  {
    raddle::Session session = runtime.session(parts);
    account = session.function("open")({int64_t(12)})[0].ref();
    expect(account.type_name() == "bank.account", "the type");
    expect(session.function("balance")({account})[0].i64() == 12, "the balance");
    raddle::Session other = session.fork();
    expect(session.function("settle")({10})[0].i32() == 11 && other.function("count")({})[0].i32() == 0, "two states");
    is_open = false;
    fails([&] { session.fork(); }, RADDLE_CODE_UNKNOWN, "the bank is closed");
  }
  expect(last.expired(), "states end with their sessions");
  expect(raddle::object_of<Account>(account, "bank.account")->balance == 12, "objects outlive them");
  fails([&] { raddle::object_of<Account>(account, "bank.debt"); }, RADDLE_CODE_INVALID_ARGUMENT, "bank.account");
}

int main(int argc, char** argv) {
  expect(argc == 2, "the argument is the folder of the programs");
  const std::string folder = argv[1];
  raddle::Runtime runtime(1);
  tensors(runtime, folder + "/../hal");
  fences(runtime, folder + "/../hal");
  modules(runtime, folder);
  std::puts("wrappers: ok");
}
