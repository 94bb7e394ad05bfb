// `convoy probe`: the hidden child that tries suspects. Speaks the protocol of guard/probe_worker.h on stdin and stdout.
#include "cli/command.h"
#include "dispatch/trial.h"

namespace convoy {

void add_probe_command(CLI::App& app, CommandContext& context) {
  app.add_subcommand("probe", "Serve trials for a parent process")->group("")->callback([&context] {
    context.exit_code = run_probe();
  });
}

}  // namespace convoy
