// Keeps SQLite away from fork(). SQLite counts file locks per process in memory that a child inherits, but
// the locks themselves are not inherited: a child that opens a file which its parent had open believes that
// it holds locks, and the parent then deletes the write-ahead log under it. Not using the old connection in
// the child is therefore not enough; whatever is registered here closes its connections before a fork and
// opens them again at the next use, in both processes.
#pragma once

namespace convoy {

class ForkAware {
 public:
  virtual ~ForkAware() = default;
  // Takes the locks and closes the connections.
  virtual void before_fork() = 0;
  // Gives the locks back, in the parent and in the child.
  virtual void after_fork() = 0;
};

void register_fork_aware(ForkAware& object);
void unregister_fork_aware(ForkAware& object);

}  // namespace convoy
