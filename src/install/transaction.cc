// Implementation of transaction.h.
#include "install/transaction.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace convoy {
namespace {

using Kind = FileChange::Kind;
constexpr unsigned k_folder_mode = 0755, k_private_mode = 0700;

std::string backup_folder(const InstallPlaces& places) {
  return places.state_folder() + "/backup";
}

FileState manifest_file(const Manifest& manifest) {
  return {manifest_as_text(manifest), 0644, {}, {}, {}};
}

// The folders on the way to `path` that are not there, parents first.
Result<std::vector<std::string>> missing_folders(InstallTree& tree, const std::string& path) {
  std::vector<std::string> missing;
  for (std::string folder = folder_of(path); !folder.empty(); folder = folder_of(folder)) {
    CONVOY_TRY(const bool there, tree.has_folder(folder));
    if (there) break;
    missing.push_back(folder);
  }
  std::ranges::reverse(missing);
  return missing;
}

void add_missing(std::vector<std::string>& list, const std::vector<std::string>& more) {
  for (const std::string& one : more) {
    if (std::ranges::find(list, one) == list.end()) list.push_back(one);
  }
}

Manifest labelled(const InstallLabel& label) {
  Manifest manifest;
  manifest.version = label.version;
  manifest.program = label.program;
  manifest.strategy = label.strategy;
  return manifest;
}

std::set<std::string> backups_of(const Manifest& manifest) {
  std::set<std::string> hashes;
  for (const ManifestEntry& entry : manifest.files) {
    if (entry.former) hashes.insert(entry.former->hash);
  }
  return hashes;
}

// The folders of the state, so that it can be locked; `made` gets those that were not there, parents first.
Result<void> make_state_folder(InstallTree& tree, const InstallPlaces& places, std::vector<std::string>& made) {
  CONVOY_TRY(const std::vector<std::string> missing, missing_folders(tree, manifest_path(places)));
  for (const std::string& folder : missing) {
    made.push_back(folder);
    CONVOY_CHECK(tree.make_folder(folder, k_folder_mode));
  }
  return {};
}

// The manifest and its folders, with what an interrupted run has left in them; then those of `made_folders` that are empty.
Result<void> remove_state_folder(InstallTree& tree, const InstallPlaces& places,
                                 const std::vector<std::string>& made_folders) {
  CONVOY_CHECK(tree.remove_folder(backup_folder(places)));
  CONVOY_TRY(const bool there, tree.has_folder(places.state_folder()));
  if (there) {
    CONVOY_CHECK(tree.discard(manifest_path(places)));
    CONVOY_CHECK(tree.remove(manifest_path(places)));
    CONVOY_CHECK(tree.remove_folder(places.state_folder()));
  }
  for (auto folder = made_folders.rbegin(); folder != made_folders.rend(); ++folder) {
    CONVOY_CHECK(tree.remove_folder(*folder));
  }
  return {};
}

// One run, with what it has done so far, so that it can be undone.
class Work {
 public:
  Work(InstallTree& tree, const InstallPlaces& places, const std::vector<FileChange>& changes,
       const std::optional<Manifest>& before)
      : tree_(tree), places_(places), changes_(changes), before_(before) {}

  Result<void> prepare(const InstallLabel& label, const std::vector<std::string>& made_folders) {
    after_ = labelled(label);
    after_.complete = true;
    if (before_) after_.folders = before_->folders;
    add_missing(after_.folders, made_folders);
    CONVOY_TRY(new_folders_, missing_folders(tree_, backup_folder(places_) + "/x"));
    for (const FileChange& change : changes_) {
      if (change.entry) after_.files.push_back(*change.entry);
      if (change.kind != Kind::write) continue;
      CONVOY_TRY(const auto folders, missing_folders(tree_, change.path));
      add_missing(new_folders_, folders);
    }
    add_missing(after_.folders, new_folders_);
    // These go when they are empty, whoever made them.
    std::erase_if(after_.folders,
                  [this](const std::string& folder) { return folder.starts_with(places_.state_folder()); });
    return {};
  }

  Result<void> run() {
    if (before_ && !before_->complete) CONVOY_CHECK(discard_staged());
    CONVOY_TRY(std::string text, manifest_to_write(intent(), places_));
    CONVOY_CHECK(tree_.write(manifest_path(places_), {std::move(text), 0644, {}, {}, {}}));
    for (const std::string& folder : new_folders_) {
      made_.push_back(folder);
      CONVOY_CHECK(tree_.make_folder(folder, folder == backup_folder(places_) ? k_private_mode : k_folder_mode));
    }
    for (const FileChange& change : changes_) CONVOY_CHECK(back_up(change));
    for (const FileChange& change : changes_) {
      if (change.kind != Kind::write && change.kind != Kind::remove) continue;
      touched_.push_back(&change);
      CONVOY_CHECK(put(change.path, change.next));
    }
    return {};
  }

  // Everything stands as it shall: nothing here is worth undoing the rest for.
  Result<void> finish() {
    if (after_.files.empty()) return leave();
    for (const std::string& hash : unneeded_backups()) CONVOY_CHECK(tree_.remove(backup_path(places_, hash)));
    CONVOY_CHECK(remove_folders(after_.folders));
    std::erase_if(after_.folders, [this](const std::string& folder) {
      const auto there = tree_.has_folder(folder);
      return there && !*there;
    });
    return tree_.write(manifest_path(places_), manifest_file(after_));
  }

  // What is staged, and what is new, goes first: on a full disk it makes room for the rest.
  Result<void> undo() {
    for (const FileChange* change : touched_) CONVOY_CHECK(tree_.discard(change->path));
    std::ranges::stable_partition(touched_, [](const FileChange* change) { return !change->now; });
    for (const FileChange* change : touched_) CONVOY_CHECK(put_back(change->path, change->now));
    for (const std::string& hash : backed_up_) {
      CONVOY_CHECK(tree_.discard(backup_path(places_, hash)));
      CONVOY_CHECK(tree_.remove(backup_path(places_, hash)));
    }
    CONVOY_CHECK(remove_folders(made_));
    if (before_) return put_back(manifest_path(places_), manifest_file(*before_));
    return remove_state_folder(tree_, places_, after_.folders);
  }

 private:
  Result<void> put(const std::string& path, const std::optional<FileState>& file) {
    return file ? tree_.write(path, *file) : tree_.remove(path);
  }

  // A file that was not reached, or could not be replaced, is not written again: that may be impossible for the same reason.
  Result<void> put_back(const std::string& path, const std::optional<FileState>& file) {
    CONVOY_CHECK(tree_.discard(path));
    CONVOY_TRY(const auto now, tree_.read(path));
    const bool same = now ? file && now->same_as(*file) : !file;
    return same ? Result<void>() : put(path, file);
  }

  // What each file may hold from now on: what it held, what it shall hold.
  Manifest intent() const {
    Manifest result = after_;
    result.complete = false;
    if (!before_) return result;
    for (const ManifestEntry& old : before_->files) {
      if (ManifestEntry* entry = result.find(old.path)) {
        add_missing(entry->ours, old.ours);
      } else {
        result.files.push_back(old);
      }
    }
    return result;
  }

  Result<void> back_up(const FileChange& change) {
    if (!change.entry || !change.entry->former || !change.now) return {};
    const std::string& hash = change.entry->former->hash;
    if (hash_of(change.now->content) != hash) return {};
    const std::string path = backup_path(places_, hash);
    CONVOY_TRY(const auto there, tree_.read(path));
    if (there && hash_of(there->content) == hash) return {};
    backed_up_.push_back(hash);
    return tree_.write(path, {change.now->content, 0600, {}, {}, {}});
  }

  // What an interrupted run may have left beside the files.
  Result<void> discard_staged() {
    CONVOY_CHECK(tree_.discard(manifest_path(places_)));
    for (const ManifestEntry& entry : before_->files) {
      CONVOY_CHECK(tree_.discard(entry.path));
      if (entry.former) CONVOY_CHECK(tree_.discard(backup_path(places_, entry.former->hash)));
    }
    return {};
  }

  std::set<std::string> unneeded_backups() const {
    std::set<std::string> result;
    if (!before_) return result;
    std::ranges::set_difference(backups_of(*before_), backups_of(after_), std::inserter(result, result.end()));
    return result;
  }

  Result<void> remove_folders(const std::vector<std::string>& folders) {
    for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) CONVOY_CHECK(tree_.remove_folder(*folder));
    return {};
  }

  // Nothing is installed any more. The manifest goes when only its own folders are left.
  Result<void> leave() {
    std::vector<std::string> others;
    const std::string state = places_.state_folder() + "/";
    std::ranges::copy_if(after_.folders, std::back_inserter(others),
                         [&state](const std::string& folder) { return !state.starts_with(folder + "/"); });
    for (const std::string& hash : backups_of(intent())) CONVOY_CHECK(tree_.remove(backup_path(places_, hash)));
    CONVOY_CHECK(remove_folders(others));
    return remove_state_folder(tree_, places_, after_.folders);
  }

  InstallTree& tree_;
  const InstallPlaces& places_;
  const std::vector<FileChange>& changes_;
  const std::optional<Manifest>& before_;
  Manifest after_;
  std::vector<std::string> new_folders_;
  // Done so far.
  std::vector<std::string> made_, backed_up_;
  std::vector<const FileChange*> touched_;
};

Result<void> carry_out(Work work, const InstallLabel& label, const std::vector<std::string>& made_folders) {
  CONVOY_CHECK(work.prepare(label, made_folders));
  if (const auto done = work.run(); !done) {
    const std::string& what = done.error().message;
    if (const auto undone = work.undo(); !undone) {
      return fail(
          done.error().code,
          fmt::format("{}; and it could not be undone: {}. Call it again, or convoy uninstall, once the cause is gone",
                      what, undone.error().message));
    }
    return fail(done.error().code, fmt::format("{}; everything is as it was", what));
  }
  if (const auto finished = work.finish(); !finished) {
    return fail(
        finished.error().code,
        fmt::format("all files are in place, but not the list of them: {}; call it again", finished.error().message));
  }
  return {};
}

bool same_entries(const std::vector<FileChange>& changes, const Manifest& manifest) {
  std::size_t entries = 0;
  for (const FileChange& change : changes) {
    if (!change.entry) continue;
    ++entries;
    const auto known = std::ranges::find(manifest.files, change.path, &ManifestEntry::path);
    if (known == manifest.files.end() || known->ours != change.entry->ours || known->mode != change.entry->mode)
      return false;
  }
  return entries == manifest.files.size();
}

}  // namespace

bool is_work(const std::vector<FileChange>& changes, const std::optional<Manifest>& manifest,
             const InstallLabel& label) {
  const auto touches = [](const FileChange& change) {
    return change.kind == Kind::write || change.kind == Kind::remove;
  };
  if (std::ranges::any_of(changes, touches)) return true;
  if (!manifest) return std::ranges::any_of(changes, [](const FileChange& change) { return change.entry.has_value(); });
  return !manifest->complete || manifest->version != label.version || manifest->program != label.program ||
         manifest->strategy != label.strategy || !same_entries(changes, *manifest);
}

Result<std::vector<FileChange>> install(InstallTree& tree, const InstallPlaces& places,
                                        const std::vector<PlannedFile>& plan, const InstallLabel& label) {
  std::vector<std::string> made;
  if (const auto ready = make_state_folder(tree, places, made); !ready) {
    for (auto folder = made.rbegin(); folder != made.rend(); ++folder) CONVOY_CHECK(tree.remove_folder(*folder));
    return tl::unexpected<Error>(ready.error());
  }
  CONVOY_TRY(const Descriptor lock, tree.lock(places.state_folder()));
  CONVOY_TRY(const auto manifest, read_manifest(tree, places));
  std::vector<FileChange> changes = changes_to_install(tree, places, plan, manifest);
  if (is_work(changes, manifest, label)) {
    CONVOY_CHECK(carry_out({tree, places, changes, manifest}, label, made));
  } else if (!manifest) {
    CONVOY_CHECK(remove_state_folder(tree, places, made));
  }
  return changes;
}

Result<std::vector<FileChange>> uninstall(InstallTree& tree, const InstallPlaces& places) {
  CONVOY_TRY(const bool there, tree.has_folder(places.state_folder()));
  if (!there) return std::vector<FileChange>();
  CONVOY_TRY(const Descriptor lock, tree.lock(places.state_folder()));
  CONVOY_TRY(const auto manifest, read_manifest(tree, places));
  if (!manifest) {
    CONVOY_CHECK(remove_state_folder(tree, places, {}));
    return std::vector<FileChange>();
  }
  std::vector<FileChange> changes = changes_to_uninstall(tree, places, *manifest);
  CONVOY_CHECK(
      carry_out({tree, places, changes, manifest}, {manifest->version, manifest->program, manifest->strategy}, {}));
  return changes;
}

}  // namespace convoy
