// The assignments in the text of one file, for each way to write them. Pure: text in, assignments out; nothing is executed and no
// file is opened. What a reader sees and does not understand is a note, never a guess.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "device/detect.h"

namespace convoy {

struct EnvironmentAssignment {
  std::string name = {};
  std::string value = {};  // without the quotation marks that its reader takes off
  // `value` is what stands there, not what it comes to: "$HOME/db"; empty: handed on from elsewhere.
  bool computed = false;
  std::string file = {};  // as it is called inside the root
  int line = 0;
  std::string reader = {};  // who reads the file: "login shells"
  std::string scope = {};   // what has the same scope is seen by one program: a file, a service with its drop-ins
  int block = 0;            // which of several such in one file; 0: all of it is one

  std::string place() const;  // "/etc/profile.d/rocm.sh:3 (login shells)"
};

struct EnvironmentText {
  std::vector<EnvironmentAssignment> assignments;  // name, value, computed, line, block
  std::vector<std::string> files;                  // that a service reads besides, in its order
  std::vector<std::string> unset;                  // taken away from a service: NAME or NAME=VALUE
  std::vector<DetectNote> notes;                   // only the text
};

// Each adds to what an earlier file of the same program gave.
using ReadEnvironmentText = void (*)(std::string_view text, EnvironmentText& into);

// sh, bash, zsh. An assignment below an `if` counts as made; here-documents are passed over.
void read_shell_text(std::string_view text, EnvironmentText& into);
// `set -gx NAME value` and the like; what is not exported is passed over.
void read_fish_text(std::string_view text, EnvironmentText& into);
// fish's universal variables: lines "SETUVAR --export NAME:value".
void read_fish_variables(std::string_view text, EnvironmentText& into);

// NAME=VALUE lines as systemd and others read them, and as pam_env does (with `export ` before the name, too).
void read_plain_text(std::string_view text, EnvironmentText& into);
void read_pam_text(std::string_view text, EnvironmentText& into);

// DefaultEnvironment= of [Manager]; Environment=, EnvironmentFile=, PassEnvironment=, UnsetEnvironment= of [Service], and the
// first two of a quadlet's [Container].
void read_manager_text(std::string_view text, EnvironmentText& into);
void read_service_text(std::string_view text, EnvironmentText& into);
void read_quadlet_text(std::string_view text, EnvironmentText& into);

// Lines NAME: value and - NAME=value below `environment:`; not YAML. Each such block is one container's.
void read_compose_text(std::string_view text, EnvironmentText& into);
// ENV of a Dockerfile.
void read_dockerfile_text(std::string_view text, EnvironmentText& into);

// conda-meta/state, and the files of etc/conda/env_vars.d.
void read_conda_state(std::string_view text, EnvironmentText& into);
void read_conda_variables(std::string_view text, EnvironmentText& into);

}  // namespace convoy
