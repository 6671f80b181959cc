// Which ready operation runs next. In threaded order each stream has a thread. In deterministic order one thread runs one
// operation at a time, picked by a seed: some when something is submitted, as many as are needed while a call waits, and,
// so that a host that waits outside of any call goes on, one after another when nothing has happened for a while.
#pragma once
#include "stream.h"
#include <condition_variable>
#include <functional>
#include <list>
#include <random>

namespace [[gnu::visibility("hidden")]] cudasim {

class Scheduler {
  public:
    bool deterministic = false;

    void set_order(bool is_deterministic, uint64_t seed);
    void add(const std::shared_ptr<Stream> &stream);
    // Something was submitted to this stream.
    void wake(const std::shared_ptr<Stream> &stream, std::unique_lock<std::mutex> &lock);
    // A stream was closed; its thread may end.
    void wake_closing() { changed.notify_all(); }
    // Until `reached` holds; the lock is held at the beginning, at the end, and whenever it is asked.
    void wait(const std::function<bool()> &reached, std::unique_lock<std::mutex> &lock);
    // In deterministic order, one operation as the price of a question: polling makes progress.
    void poll(std::unique_lock<std::mutex> &lock);
    // Ends every thread. Forgets the streams, and drops what has not begun; or, to change the order, lets it end first.
    void stop(std::unique_lock<std::mutex> &lock, bool forgets = true);

    const std::vector<std::shared_ptr<Stream>> &all() const { return streams; }
    unsigned random(unsigned count) { return count < 2 ? 0 : (unsigned)(generator() % count); }

  private:
    bool is_ready(const Stream &stream) const;
    std::shared_ptr<Stream> pick();
    void run_head(const std::shared_ptr<Stream> &stream, std::unique_lock<std::mutex> &lock);
    void serve(std::shared_ptr<Stream> stream); // a stream's thread
    void serve_all();                           // the one thread of deterministic order
    bool is_wanted() const;
    void grant(unsigned count, std::unique_lock<std::mutex> &lock);
    void forget_closed();

    std::vector<std::shared_ptr<Stream>> streams;
    std::list<const std::function<bool()> *> waiting;
    std::condition_variable changed;
    std::mt19937_64 generator{1};
    unsigned threads = 0, granted = 0;
    bool stopping = false, serving_all = false, in_host_function = false;
    uint64_t picks = 0, submissions = 0;
};

} // namespace cudasim
