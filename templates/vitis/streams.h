// A model of hls::stream for simulation. Alone, a stream grows as it must. With FPGAPRUNE_BOUNDED each process is a
// thread, a stream holds as many beats as its FIFO, and a program in which all processes wait ends with exit code 3.
#ifndef FPGAPRUNE_STREAMS_H
#define FPGAPRUNE_STREAMS_H

#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <vector>

#ifdef FPGAPRUNE_BOUNDED
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace fpgaprune {

// One lock for all streams: what is checked is that no legal input stalls, not speed.
struct Scheduler {
  std::mutex lock;
  std::condition_variable changed;
  int running = 0;
  int waiting = 0; // processes that could not go on since the last change of any stream
  int changes = 0;

  static Scheduler &instance() {
    static Scheduler scheduler;
    return scheduler;
  }

  template <class Condition>
  void wait(std::unique_lock<std::mutex> &guard, Condition ready) {
    while (!ready()) {
      ++waiting;
      stop_if_stuck();
      const int seen = changes;
      changed.wait(guard, [this, seen] { return changes != seen; });
    }
  }

  void change() {
    waiting = 0;
    ++changes;
    changed.notify_all();
  }

  void stop_if_stuck() const {
    if (waiting >= running) {
      std::cerr << "deadlock: every process waits for a stream\n";
      std::_Exit(3);
    }
  }
};

// Run all processes at once and wait for their ends.
inline void run_processes(const std::vector<std::function<void()>> &processes) {
  Scheduler &scheduler = Scheduler::instance();
  scheduler.running = int(processes.size());
  std::vector<std::thread> threads;
  for (const std::function<void()> &process : processes)
    threads.emplace_back([&scheduler, &process] {
      process();
      std::lock_guard<std::mutex> guard(scheduler.lock);
      --scheduler.running;
      if (scheduler.running > 0)
        scheduler.stop_if_stuck();
    });
  for (std::thread &thread : threads)
    thread.join();
}

} // namespace fpgaprune
#endif

namespace hls {

template <class Beat>
class stream {
public:
  explicit stream(const char * = "") {}

  bool empty() const { return first == beats.size(); }

  std::size_t size() const { return beats.size() - first; }

#ifdef FPGAPRUNE_BOUNDED
  void limit(std::size_t depth) { capacity = depth; }

  Beat read() {
    fpgaprune::Scheduler &scheduler = fpgaprune::Scheduler::instance();
    std::unique_lock<std::mutex> guard(scheduler.lock);
    scheduler.wait(guard, [this] { return !empty(); });
    const Beat beat = take();
    scheduler.change();
    return beat;
  }

  void write(const Beat &beat) {
    fpgaprune::Scheduler &scheduler = fpgaprune::Scheduler::instance();
    std::unique_lock<std::mutex> guard(scheduler.lock);
    scheduler.wait(guard, [this] { return capacity == 0 || size() < capacity; });
    beats.push_back(beat);
    scheduler.change();
  }
#else
  Beat read() {
    if (empty()) {
      std::cerr << "a stream is read although it is empty\n";
      std::exit(3);
    }
    return take();
  }

  void write(const Beat &beat) { beats.push_back(beat); }
#endif

private:
  Beat take() {
    const Beat beat = beats[first++];
    if (empty()) {
      beats.clear();
      first = 0;
    }
    return beat;
  }

  std::vector<Beat> beats;
  std::size_t first = 0;
#ifdef FPGAPRUNE_BOUNDED
  std::size_t capacity = 0;
#endif
};

} // namespace hls

#endif
