"""The answer in sentences that somebody can forward as they are; finds nothing out itself."""
