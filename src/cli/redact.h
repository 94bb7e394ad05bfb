// Takes out of a text what tells whose machine it is from, so that it can be attached to a public issue: names of users and
// machines, home folders, serial numbers and other identities of hardware.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convoy {

class Redactor {
 public:
  // Names to take out wherever they stand as words or are set off by case or digits, without regard to case. Empty ones, single
  // letters and those that many machines have or reports are made of (root, ubuntu, gpu) are ignored.
  struct Identity {
    std::vector<std::string> users;
    std::vector<std::string> hosts;    // also their parts before and behind the first dot
    std::vector<std::string> folders;  // home folders, from the root
    std::vector<std::string> ids;      // /etc/machine-id
  };
  explicit Redactor(Identity identity);
  // Of this process: its user, its home, this machine's names.
  static Redactor of_this_machine();

  // The text with [user], [host], [address], ~ and [id] in their places. Also what only looks like such: any path below /home or
  // /root, names below other folders home, Users and media, UUIDs, names like GPU-0123456789abcdef, addresses of hardware and
  // networks, somebody@somewhere, runs of 16 and more hexadecimal digits but the 40 of a commit, and what follows "serial".
  std::string operator()(std::string_view text) const;

 private:
  struct Word {
    std::string text;  // lower case
    std::string_view stand_in;
  };
  // Of what begins `text` and is the word; 0: nothing does.
  std::size_t length_of_word(const Word& word, std::string_view text, char before) const;
  std::vector<Word> words_;  // longest first
  std::vector<std::string> folders_;
};

}  // namespace convoy
