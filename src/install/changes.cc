// Implementation of changes.h.
#include "install/changes.h"

#include <algorithm>
#include <utility>

#include "install/block.h"

namespace convoy {
namespace {

constexpr const char* k_changed = "changed since Convoy wrote it";
constexpr const char* k_foreign_block =
    "has a Convoy block that was not written by this installation; take out what stands between '# >>> convoy >>>' and "
    "'# <<< convoy <<<', these lines included";

FileState restored(const FormerFile& former, std::string content) {
  return {std::move(content), former.mode, former.owner, former.group, former.modified_ns};
}

bool is_former(const FileState& now, const std::optional<FormerFile>& former) {
  return former && former->mode == now.mode && former->hash == hash_of(now.content);
}

std::optional<FormerFile> as_former(const std::optional<FileState>& now) {
  if (!now) return std::nullopt;
  return FormerFile{hash_of(now->content), now->mode, now->owner.value_or(0), now->group.value_or(0),
                    std::max<std::int64_t>(now->modified_ns.value_or(0), 0)};
}

FileChange seen(const std::string& path, std::optional<FileState> now) {
  return {FileChange::Kind::none, path, {}, std::move(now), std::nullopt, std::nullopt};
}

FileChange left_alone(FileChange change, std::string why, const ManifestEntry* entry) {
  change.kind = FileChange::Kind::left_alone;
  change.reason = std::move(why);
  change.next = change.now;
  if (entry != nullptr) change.entry = *entry;
  return change;
}

FileChange decided(FileChange change) {
  const bool same = change.now ? change.next && change.now->same_as(*change.next) : !change.next;
  if (same) {
    change.kind = FileChange::Kind::none;
  } else {
    change.kind = change.next ? FileChange::Kind::write : FileChange::Kind::remove;
  }
  return change;
}

// A file that is ours alone: as we wrote it, mode included.
bool is_as_written(const FileState& now, const ManifestEntry& entry, bool complete) {
  return entry.is_ours(now.content) && (now.mode == entry.mode || !complete);
}

FileChange install_file(FileChange change, const PlannedFile& planned, const ManifestEntry* entry, bool complete) {
  const bool untouched = entry == nullptr || !change.now || is_as_written(*change.now, *entry, complete) ||
                         is_former(*change.now, entry->former);
  if (!untouched) return left_alone(std::move(change), k_changed, entry);
  change.next = FileState{planned.content, planned.mode, {}, {}, {}};
  change.entry = ManifestEntry{planned.path,
                               false,
                               planned.mode,
                               {hash_of(planned.content)},
                               entry == nullptr ? as_former(change.now) : entry->former};
  return decided(std::move(change));
}

FileChange install_block(FileChange change, const PlannedFile& planned, const ManifestEntry* entry) {
  const std::string text = change.now ? change.now->content : "";
  const SplitText split = split_at_block(text);
  const bool ours = entry != nullptr && split.kind == SplitText::Kind::one && entry->is_ours(split.block);
  if (split.kind != SplitText::Kind::none && !ours) {
    return left_alone(std::move(change), entry == nullptr ? k_foreign_block : k_changed, entry);
  }
  const bool known = ours || (entry != nullptr && change.now && is_former(*change.now, entry->former));
  FileState next = change.now.value_or(FileState{"", planned.mode, {}, {}, {}});
  next.content = with_block(text, planned.content);
  next.modified_ns.reset();
  change.entry = ManifestEntry{
      planned.path, true, next.mode, {hash_of(planned.content)}, known ? entry->former : as_former(change.now)};
  change.next = std::move(next);
  return decided(std::move(change));
}

FileChange restore_file(FileChange change, InstallTree& tree, const InstallPlaces& places, const ManifestEntry& entry,
                        bool complete) {
  if (change.now && is_former(*change.now, entry.former)) return change;
  if (change.now && !is_as_written(*change.now, entry, complete))
    return left_alone(std::move(change), k_changed, &entry);
  if (entry.former) {
    const auto backup = tree.read(backup_path(places, entry.former->hash));
    // Neither file nor backup: somebody has cleared up.
    if (backup && !*backup && !change.now) return change;
    if (!backup || !*backup || hash_of((*backup)->content) != entry.former->hash) {
      return left_alone(std::move(change),
                        "what was there before is gone or damaged: " + backup_path(places, entry.former->hash), &entry);
    }
    change.next = restored(*entry.former, (*backup)->content);
  }
  return decided(std::move(change));
}

FileChange restore_block(FileChange change, const ManifestEntry& entry) {
  change.next = change.now;
  const std::string text = change.now ? change.now->content : "";
  const SplitText split = split_at_block(text);
  if (split.kind == SplitText::Kind::none) return change;
  if (split.kind == SplitText::Kind::broken || !entry.is_ours(split.block)) {
    return left_alone(std::move(change), k_changed, &entry);
  }
  std::string rest = std::string(split.before) + std::string(split.after);
  // The newline that with_block() had to add.
  const std::string without_newline =
      split.after.empty() && rest.ends_with('\n') ? rest.substr(0, rest.size() - 1) : rest;
  if (entry.former && hash_of(rest) != entry.former->hash && hash_of(without_newline) == entry.former->hash) {
    rest = without_newline;
  }
  const bool as_before = entry.former && hash_of(rest) == entry.former->hash && change.now->mode == entry.former->mode;
  if (as_before) {
    change.next = restored(*entry.former, std::move(rest));
  } else if (!entry.former && rest.empty()) {
    change.next.reset();
  } else {
    change.next->content = std::move(rest);
    change.next->modified_ns.reset();
  }
  return decided(std::move(change));
}

FileChange change_for(InstallTree& tree, const PlannedFile& planned, const ManifestEntry* entry, bool complete) {
  auto now = tree.read(planned.path);
  if (!now) return left_alone(seen(planned.path, std::nullopt), now.error().message, entry);
  FileChange change = seen(planned.path, std::move(*now));
  change.reason = planned.reason;
  if (entry != nullptr && entry->block != planned.block) {
    return left_alone(std::move(change), "the list of what is installed has it as something else", entry);
  }
  return planned.block ? install_block(std::move(change), planned, entry)
                       : install_file(std::move(change), planned, entry, complete);
}

FileChange change_to_restore(InstallTree& tree, const InstallPlaces& places, const ManifestEntry& entry,
                             bool complete) {
  auto now = tree.read(entry.path);
  if (!now) return left_alone(seen(entry.path, std::nullopt), now.error().message, &entry);
  FileChange change = seen(entry.path, std::move(*now));
  return entry.block ? restore_block(std::move(change), entry)
                     : restore_file(std::move(change), tree, places, entry, complete);
}

}  // namespace

std::vector<FileChange> changes_to_install(InstallTree& tree, const InstallPlaces& places,
                                           const std::vector<PlannedFile>& plan,
                                           const std::optional<Manifest>& manifest) {
  std::vector<FileChange> changes;
  const bool complete = !manifest || manifest->complete;
  const auto entry_of = [&manifest](std::string_view path) -> const ManifestEntry* {
    if (!manifest) return nullptr;
    const auto found = std::ranges::find(manifest->files, path, &ManifestEntry::path);
    return found == manifest->files.end() ? nullptr : &*found;
  };
  for (const PlannedFile& planned : plan)
    changes.push_back(change_for(tree, planned, entry_of(planned.path), complete));
  if (!manifest) return changes;
  for (const ManifestEntry& entry : manifest->files) {
    if (std::ranges::find(plan, entry.path, &PlannedFile::path) == plan.end()) {
      changes.push_back(change_to_restore(tree, places, entry, complete));
    }
  }
  return changes;
}

std::vector<FileChange> changes_to_uninstall(InstallTree& tree, const InstallPlaces& places, const Manifest& manifest) {
  std::vector<FileChange> changes;
  for (const ManifestEntry& entry : manifest.files) {
    changes.push_back(change_to_restore(tree, places, entry, manifest.complete));
  }
  return changes;
}

std::string_view name_of(InstalledState state) {
  switch (state) {
    case InstalledState::as_written: return "as written";
    case InstalledState::changed: return "changed";
    case InstalledState::missing: return "missing";
    case InstalledState::unreadable: return "unreadable";
  }
  return "unreadable";
}

InstalledState state_of(InstallTree& tree, const ManifestEntry& entry) {
  const auto now = tree.read(entry.path);
  if (!now) return InstalledState::unreadable;
  if (!*now) return InstalledState::missing;
  if (!entry.block) {
    return is_as_written(**now, entry, true) ? InstalledState::as_written : InstalledState::changed;
  }
  const SplitText split = split_at_block((*now)->content);
  if (split.kind == SplitText::Kind::none) return InstalledState::missing;
  const bool same = split.kind == SplitText::Kind::one && entry.is_ours(split.block);
  return same ? InstalledState::as_written : InstalledState::changed;
}

}  // namespace convoy
